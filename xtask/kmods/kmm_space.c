// SPDX-License-Identifier: GPL-2.0
/* Imports a symbol namespace. */
#include <linux/init.h>
#include <linux/module.h>

#include "kmm_base.h"

static int __init kmm_space_init(void)
{
	pr_info("kmm_space: product=%d\n", kmm_base_scale(2));
	return 0;
}

static void __exit kmm_space_exit(void)
{
	pr_info("kmm_space: unloaded\n");
}

module_init(kmm_space_init);
module_exit(kmm_space_exit);
MODULE_DESCRIPTION("Imports the namespace of kmm_base");
MODULE_IMPORT_NS(KMM_BASE);
MODULE_LICENSE("GPL");
