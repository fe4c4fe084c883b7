// SPDX-License-Identifier: GPL-2.0
/* Exports one symbol for everyone with a fitting licence, and one in a namespace. */
#include <linux/init.h>
#include <linux/module.h>

#include "kmm_base.h"

static int base = 40;
module_param(base, int, 0644);
MODULE_PARM_DESC(base, "added to every value (default 40)");

int kmm_base_add(int value)
{
	return base + value;
}
EXPORT_SYMBOL_GPL(kmm_base_add);

int kmm_base_scale(int value)
{
	return base * value;
}
EXPORT_SYMBOL_NS_GPL(kmm_base_scale, KMM_BASE);

static int __init kmm_base_init(void)
{
	pr_info("kmm_base: loaded, version %s, base=%d\n", THIS_MODULE->version, base);
	return 0;
}

static void __exit kmm_base_exit(void)
{
	pr_info("kmm_base: unloaded\n");
}

module_init(kmm_base_init);
module_exit(kmm_base_exit);
MODULE_DESCRIPTION("Something that other modules need");
MODULE_AUTHOR("Kernel Module Management in Rust");
MODULE_VERSION("1.0.0");
MODULE_LICENSE("GPL");
