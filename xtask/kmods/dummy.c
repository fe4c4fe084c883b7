// SPDX-License-Identifier: GPL-2.0
/* Stands in for the network driver of this name that comes with the kernel. */
#include <linux/init.h>
#include <linux/module.h>

static int __init dummy_init(void)
{
	pr_info("dummy: the replacement is loaded\n");
	return 0;
}

static void __exit dummy_exit(void)
{
	pr_info("dummy: the replacement is unloaded\n");
}

module_init(dummy_init);
module_exit(dummy_exit);
MODULE_DESCRIPTION("Takes the place of a module of the kernel");
MODULE_VERSION("1.0.0-kmm");
MODULE_LICENSE("GPL");
