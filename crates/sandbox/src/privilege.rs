//! What the calling process may do to other users' identities, and giving up all of that.

use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities,
};

use crate::error::{Context as _, Result};

/// Whether this process can give other identities to a sandbox and mount for it: root with its
/// capabilities. Everybody else makes sandboxes through an unprivileged user namespace.
#[must_use]
pub fn is_privileged() -> bool {
    let needed = CapabilitySet::SYS_ADMIN
        | CapabilitySet::SETUID
        | CapabilitySet::SETGID
        | CapabilitySet::CHOWN
        | CapabilitySet::DAC_OVERRIDE
        | CapabilitySet::FOWNER;
    rustix::process::geteuid().is_root()
        && capabilities(None).is_ok_and(|sets| sets.effective.contains(needed))
}

/// Gives up every capability, for this process and whatever it executes.
pub(crate) fn drop_capabilities() -> Result<()> {
    for number in 0..64 {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        match remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // Past the kernel's last one; or not ours to remove, and then there are none to give up either.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::PERM) => break,
            other => other.step("drop a capability from the bounding set")?,
        }
    }
    clear_ambient_capability_set().step("clear the ambient capabilities")?;
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
        .step("drop capabilities")
}
