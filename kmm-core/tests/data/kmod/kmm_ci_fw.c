#include <linux/firmware.h>
#include <linux/module.h>
#include <linux/platform_device.h>

static struct platform_device *pdev;

static int __init kmm_ci_fw_init(void)
{
	const struct firmware *fw;
	int err;

	pdev = platform_device_register_simple("kmm_ci_fw", -1, NULL, 0);
	if (IS_ERR(pdev))
		return PTR_ERR(pdev);
	err = request_firmware(&fw, "kmm_ci/kmm_ci_fw.bin", &pdev->dev);
	if (err) {
		platform_device_unregister(pdev);
		return err;
	}
	release_firmware(fw);
	return 0;
}
static void __exit kmm_ci_fw_exit(void) { platform_device_unregister(pdev); }
module_init(kmm_ci_fw_init);
module_exit(kmm_ci_fw_exit);
MODULE_LICENSE("GPL");
MODULE_FIRMWARE("kmm_ci/kmm_ci_fw.bin");
MODULE_SOFTDEP("pre: kmm_ci_b");
