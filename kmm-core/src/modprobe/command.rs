//! A program and its arguments.

use std::fmt;
use std::str::FromStr;

use super::ShellError;
use super::shell;

/// A program and its arguments, each exactly as the program gets it.
///
/// # Example: print a command so that a shell can run it
///
/// ```
/// use kmm_core::modprobe::Command;
///
/// let command = Command::new("modprobe", ["-vd", "/tmp/opt", "driver", "name=it's $5"]);
/// assert_eq!(command.to_shell(), r"modprobe -vd /tmp/opt driver 'name=it'\''s $5'");
/// assert_eq!(Command::parse_shell(&command.to_shell())?, command);
/// # Ok::<(), kmm_core::modprobe::ShellError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Command {
    /// What to run, as a name that is looked up in `PATH` or as a path.
    pub program: String,
    /// Its arguments, without the program itself.
    pub args: Vec<String>,
}

impl Command {
    /// A program with arguments.
    pub fn new(program: impl Into<String>, args: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            program: program.into(),
            args: args.into_iter().map(Into::into).collect(),
        }
    }

    /// The program, then its arguments.
    pub fn argv(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.program)
            .chain(&self.args)
            .map(String::as_str)
    }

    /// The command as a line for a POSIX shell, quoted where that is needed.
    ///
    /// A shell runs exactly this command, as long as no string holds a NUL character: no argument of a program can.
    pub fn to_shell(&self) -> String {
        self.to_string()
    }

    /// Reads a line for a POSIX shell that is one command made of plain words.
    ///
    /// # Errors
    ///
    /// When a shell would do more than run one program with fixed arguments: expand something, redirect, run a second
    /// command, set a variable; when a quote is not closed; when there is no word.
    ///
    /// # Example: read what a person wrote
    ///
    /// ```
    /// use kmm_core::modprobe::Command;
    ///
    /// let command = Command::parse_shell(r#"modprobe -d "/opt/my kmods" driver name=\"x\""#)?;
    /// assert_eq!(command.args, ["-d", "/opt/my kmods", "driver", "name=\"x\""]);
    /// assert!(Command::parse_shell("modprobe $MODULE").is_err());
    /// # Ok::<(), kmm_core::modprobe::ShellError>(())
    /// ```
    pub fn parse_shell(line: &str) -> Result<Self, ShellError> {
        let mut words = shell::words(line)?;
        if words.is_empty() {
            return Err(ShellError::Empty);
        }
        let program = words.remove(0);
        Ok(Self { program, args: words })
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shell::quote_program(&self.program))?;
        for arg in &self.args {
            write!(f, " {}", shell::quote(arg))?;
        }
        Ok(())
    }
}

impl FromStr for Command {
    type Err = ShellError;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        Self::parse_shell(line)
    }
}
