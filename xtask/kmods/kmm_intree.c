// SPDX-License-Identifier: GPL-2.0
/* Needs lz4_compress, a module that comes with the kernel. */
#include <linux/init.h>
#include <linux/lz4.h>
#include <linux/module.h>
#include <linux/vmalloc.h>

static int __init kmm_intree_init(void)
{
	static const char text[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	char packed[LZ4_COMPRESSBOUND(sizeof(text))];
	void *work = vmalloc(LZ4_MEM_COMPRESS);
	int length;

	if (!work)
		return -ENOMEM;
	length = LZ4_compress_default(text, packed, sizeof(text), sizeof(packed), work);
	vfree(work);
	pr_info("kmm_intree: %zu bytes packed into %d\n", sizeof(text), length);
	return 0;
}

static void __exit kmm_intree_exit(void)
{
	pr_info("kmm_intree: unloaded\n");
}

module_init(kmm_intree_init);
module_exit(kmm_intree_exit);
MODULE_DESCRIPTION("Needs a module of the kernel itself");
MODULE_LICENSE("GPL");
