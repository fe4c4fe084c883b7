// SPDX-License-Identifier: GPL-2.0
/* Needs a symbol that nobody exports. */
#include <linux/init.h>
#include <linux/module.h>

extern int kmm_never_exported(int value);

static int __init kmm_missing_init(void)
{
	return kmm_never_exported(0);
}

static void __exit kmm_missing_exit(void)
{
}

module_init(kmm_missing_init);
module_exit(kmm_missing_exit);
MODULE_DESCRIPTION("Needs a symbol that does not exist");
MODULE_LICENSE("GPL");
