#include <linux/module.h>

int kmm_ci_b_add(int x);
int kmm_ci_b_sub(int x);

static int value = 2;
module_param(value, int, 0444);
MODULE_PARM_DESC(value, "what is added: a number");
static char *greeting = "hello";
module_param(greeting, charp, 0444);
static bool fail;
module_param(fail, bool, 0444);
static int list[4];
static int nlist;
module_param_array(list, int, &nlist, 0444);
MODULE_PARM_DESC(list, "up to four numbers");

static int __init kmm_ci_a_init(void)
{
	if (fail)
		return -ENODEV;
	pr_info("kmm_ci_a: %s sum=%d difference=%d\n", greeting, kmm_ci_b_add(value), kmm_ci_b_sub(value));
	return 0;
}
static void __exit kmm_ci_a_exit(void) { }
module_init(kmm_ci_a_init);
module_exit(kmm_ci_a_exit);
MODULE_LICENSE("GPL");
MODULE_VERSION("1.0.0");
MODULE_ALIAS("kmm-ci-alias");
MODULE_IMPORT_NS(KMM_CI);
