// SPDX-License-Identifier: GPL-2.0
/* Uses kmm_base at run time without a symbol of it: depmod sees no dependency, the kernel sees a holder. */
#include <linux/init.h>
#include <linux/module.h>

static int (*add)(int value);

static int __init kmm_holder_init(void)
{
	/* Looks the symbol up among what is loaded, and loads nothing. */
	add = __symbol_get("kmm_base_add");
	if (!add) {
		pr_err("kmm_holder: kmm_base is not loaded\n");
		return -ENXIO;
	}
	pr_info("kmm_holder: sum=%d\n", add(1));
	return 0;
}

static void __exit kmm_holder_exit(void)
{
	__symbol_put("kmm_base_add");
	pr_info("kmm_holder: unloaded\n");
}

module_init(kmm_holder_init);
module_exit(kmm_holder_exit);
MODULE_DESCRIPTION("Needs kmm_base loaded first, and does not say so");
MODULE_LICENSE("GPL");
