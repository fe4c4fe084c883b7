#include <linux/module.h>

int kmm_ci_b_add(int x);
int kmm_ci_b_sub(int x);

static int base = 40;
module_param(base, int, 0644);

int kmm_ci_b_add(int x) { return base + x; }
EXPORT_SYMBOL_GPL(kmm_ci_b_add);

int kmm_ci_b_sub(int x) { return base - x; }
EXPORT_SYMBOL_NS(kmm_ci_b_sub, KMM_CI);

static int __init kmm_ci_b_init(void) { pr_info("kmm_ci_b: loaded base=%d\n", base); return 0; }
static void __exit kmm_ci_b_exit(void) { }
module_init(kmm_ci_b_init);
module_exit(kmm_ci_b_exit);
MODULE_LICENSE("GPL");
