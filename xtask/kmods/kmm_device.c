// SPDX-License-Identifier: GPL-2.0
/* Has a device, /dev/kmm_device, and can be held by nobody that has a name: by the parameter `held`. */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/platform_device.h>

static bool held;
static struct platform_device *device;

static int held_set(const char *value, const struct kernel_param *parameter)
{
	bool before = held;
	int error = param_set_bool(value, parameter);

	if (error)
		return error;
	if (held && !before)
		__module_get(THIS_MODULE);
	if (!held && before)
		module_put(THIS_MODULE);
	return 0;
}

static const struct kernel_param_ops held_ops = {
	.set = held_set,
	.get = param_get_bool,
};
module_param_cb(held, &held_ops, &held, 0644);
MODULE_PARM_DESC(held, "whether the module holds itself");

static const struct file_operations operations = {
	.owner = THIS_MODULE,
};

static struct miscdevice misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "kmm_device",
	.fops = &operations,
};

static struct platform_driver driver = {
	.driver = { .name = "kmm_device" },
};

static int __init kmm_device_init(void)
{
	int error = platform_driver_register(&driver);

	if (error)
		return error;
	device = platform_device_register_simple("kmm_device", -1, NULL, 0);
	if (IS_ERR(device)) {
		error = PTR_ERR(device);
		goto no_device;
	}
	misc.parent = &device->dev;
	error = misc_register(&misc);
	if (!error)
		return 0;
	platform_device_unregister(device);
no_device:
	platform_driver_unregister(&driver);
	return error;
}

static void __exit kmm_device_exit(void)
{
	misc_deregister(&misc);
	platform_device_unregister(device);
	platform_driver_unregister(&driver);
}

module_init(kmm_device_init);
module_exit(kmm_device_exit);
MODULE_DESCRIPTION("Has a device");
MODULE_VERSION("1.0.0");
MODULE_LICENSE("GPL");
