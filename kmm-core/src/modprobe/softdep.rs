//! The loading order, as modprobe reads it.

/// The text of `softdep.conf` in `/etc/modprobe.d`: each module needs the next one before it.
///
/// Empty where there are fewer than two modules. Meant for loading only: unloading gets the whole list, see
/// [`unload`](super::unload).
///
/// # Example: `a` needs `b`, which needs `c`
///
/// ```
/// use kmm_core::modprobe::softdep_conf;
///
/// assert_eq!(softdep_conf(&["a", "b", "c"]), "softdep a pre: b\nsoftdep b pre: c\n");
/// ```
pub fn softdep_conf<S: AsRef<str>>(order: &[S]) -> String {
    let line = |(module, before): (&S, &S)| format!("softdep {} pre: {}\n", module.as_ref(), before.as_ref());
    order.iter().zip(order.iter().skip(1)).map(line).collect()
}
