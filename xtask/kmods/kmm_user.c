// SPDX-License-Identifier: GPL-2.0
/* Needs kmm_base; has parameters of every common type; `fail` makes it refuse. */
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/module.h>

#include "kmm_base.h"

static int value = 2;
module_param(value, int, 0444);
MODULE_PARM_DESC(value, "handed to kmm_base");

static char *greeting = "hello";
module_param(greeting, charp, 0444);
MODULE_PARM_DESC(greeting, "first word of the message");

static bool fail;
module_param(fail, bool, 0444);
MODULE_PARM_DESC(fail, "say that there is no device");

static int list[4];
static int list_length;
module_param_array(list, int, &list_length, 0444);
MODULE_PARM_DESC(list, "up to four numbers");

static int __init kmm_user_init(void)
{
	if (fail)
		return -ENODEV;
	pr_info("kmm_user: %s value=%d sum=%d list=%d\n", greeting, value,
		kmm_base_add(value), list_length);
	return 0;
}

static void __exit kmm_user_exit(void)
{
	pr_info("kmm_user: unloaded\n");
}

module_init(kmm_user_init);
module_exit(kmm_user_exit);
MODULE_DESCRIPTION("Needs kmm_base and takes parameters");
MODULE_ALIAS("kmm-user-alias");
MODULE_ALIAS("pci:v00001B36d00004B4Dsv*sd*bc*sc*i*");
MODULE_VERSION("1.0.0");
MODULE_LICENSE("GPL");
