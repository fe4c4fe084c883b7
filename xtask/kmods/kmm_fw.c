// SPDX-License-Identifier: GPL-2.0
/* Wants a firmware file. */
#include <linux/err.h>
#include <linux/firmware.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/platform_device.h>

#define KMM_FIRMWARE "kmm/kmm_fw.bin"

static struct platform_device *device;

static int __init kmm_fw_init(void)
{
	const struct firmware *firmware;
	int error;

	device = platform_device_register_simple("kmm_fw", -1, NULL, 0);
	if (IS_ERR(device))
		return PTR_ERR(device);
	error = request_firmware(&firmware, KMM_FIRMWARE, &device->dev);
	if (error) {
		pr_err("kmm_fw: no %s: error %d\n", KMM_FIRMWARE, error);
		platform_device_unregister(device);
		return error;
	}
	pr_info("kmm_fw: firmware of %zu bytes\n", firmware->size);
	release_firmware(firmware);
	return 0;
}

static void __exit kmm_fw_exit(void)
{
	platform_device_unregister(device);
	pr_info("kmm_fw: unloaded\n");
}

module_init(kmm_fw_init);
module_exit(kmm_fw_exit);
MODULE_DESCRIPTION("Wants a firmware file");
MODULE_FIRMWARE(KMM_FIRMWARE);
MODULE_SOFTDEP("pre: kmm_base");
MODULE_VERSION("1.0.0");
MODULE_LICENSE("GPL");
