//! A Dockerfile, read for what it says about kernel modules.
//!
//! Surprises:
//! - An `ARG` is seen only in its own stage, below its line, and in stages that start from that one. One that stands
//!   above the first `FROM` is seen by `FROM` lines only.
//! - In `RUN` the shell expands variables, not the builder: a name that is no `ARG` may be a variable of the shell.
//! - Nothing expands variables in the exec form (`RUN ["make", "…"]`).

mod depmod;
mod lines;
mod pulled;
mod read;
mod scope;
mod shell;
mod variables;
mod words;

use std::ops::Range;

pub use pulled::Pulled;
pub use pulled::PulledBy;
pub use pulled::UnknownImage;
pub use scope::Visibility;
pub use variables::Form;
pub use variables::Use;
pub use words::Word;

/// The longest Dockerfile that is looked at, in bytes: what a ConfigMap can hold.
pub const MAX_LENGTH: usize = 1 << 20;

/// A Dockerfile: stages, arguments, and the uses of variables.
///
/// Reading never fails: what cannot be understood is in [`faults`](Self::faults), the rest is read.
///
/// # Example: an argument that a stage does not see
///
/// ```
/// use kmm_core::build::Dockerfile;
/// use kmm_core::build::dockerfile::Visibility;
///
/// let file = Dockerfile::read(
///     "FROM ubuntu AS builder\nARG KERNEL_VERSION\nRUN make KVER=${KERNEL_VERSION}\n\
///      FROM ubuntu\nRUN depmod -b /opt ${KERNEL_VERSION}\n",
/// );
/// let seen: Vec<Visibility> = file.uses.iter().map(|found| file.visibility(found)).collect();
/// assert_eq!(seen, [Visibility::Declared, Visibility::Undeclared]);
/// assert_eq!(file.depmods[0].base.as_ref().map(|word| word.text.as_str()), Some("/opt"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dockerfile {
    /// The character that continues lines and takes the meaning of the next one: `\`, or as a directive says.
    pub escape: char,
    /// The instructions, in order.
    pub instructions: Vec<Instruction>,
    /// The stages, in order.
    pub stages: Vec<Stage>,
    /// `ARG`s, in order, those above the first `FROM` too.
    pub arguments: Vec<Argument>,
    /// Names set by `ENV`, in order.
    pub environment: Vec<Argument>,
    /// Uses of variables, in order.
    pub uses: Vec<Use>,
    /// `COPY` and `ADD`, in order.
    pub copies: Vec<Copy>,
    /// Calls of `depmod`, in order.
    pub depmods: Vec<Depmod>,
    /// What could not be understood.
    pub faults: Vec<Fault>,
}

/// One instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Its keyword, in capitals; of `ONBUILD`, that of what it triggers.
    pub keyword: String,
    /// Bytes of the Dockerfile, continuations and here-documents included.
    pub span: Range<usize>,
    /// The stage it belongs to; `None` above the first `FROM`.
    pub stage: Option<usize>,
    /// Whether it is in exec form: a JSON array.
    pub exec: bool,
    /// What follows the keyword, continuations joined, here-documents included.
    pub text: String,
}

/// One stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Its name, as written.
    pub name: Option<String>,
    /// What it starts from.
    pub base: Base,
    /// What it starts from, as written.
    pub from: Word,
    /// Its `FROM`.
    pub instruction: usize,
}

/// What a stage starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// An image, possibly with variables in its name.
    Image(String),
    /// An earlier stage.
    Stage(usize),
    /// Nothing.
    Scratch,
}

/// A name that `ARG` or `ENV` declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// The name, and where.
    pub name: Word,
    /// The default of an `ARG`, the value of an `ENV`.
    pub value: Option<String>,
    /// Which instruction.
    pub instruction: usize,
    /// Which stage; `None` above the first `FROM`.
    pub stage: Option<usize>,
}

/// A `COPY` or `ADD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// `--from`: a stage or an image.
    pub from: Option<Word>,
    /// What is copied; empty where here-documents are.
    pub sources: Vec<Word>,
    /// Where to.
    pub destination: Word,
    /// Which instruction.
    pub instruction: usize,
    /// Which stage.
    pub stage: Option<usize>,
}

/// A call of `depmod`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Depmod {
    /// `-b`.
    pub base: Option<Word>,
    /// The kernel version.
    pub version: Option<Word>,
    /// Bytes of the Dockerfile.
    pub span: Range<usize>,
    /// Which instruction.
    pub instruction: usize,
}

/// Something that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// Bytes of the Dockerfile.
    pub span: Range<usize>,
}

/// What could not be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Longer than [`MAX_LENGTH`]; nothing of it was read.
    TooLong,
    /// There is no `FROM`.
    NoStage,
    /// An instruction other than `ARG` stands above the first `FROM`.
    BeforeFrom(String),
    /// No such instruction.
    UnknownInstruction(String),
    /// A here-document without its end.
    OpenHeredoc(String),
    /// An instruction with too few words.
    Incomplete(String),
}

impl Dockerfile {
    /// Reads a Dockerfile.
    pub fn read(source: &str) -> Self {
        read::read(source)
    }

    /// The stage that becomes the image.
    pub fn last_stage(&self) -> Option<usize> {
        self.stages.len().checked_sub(1)
    }

    /// Whether `stage` is, or starts from, `ancestor`.
    pub fn descends(&self, stage: usize, ancestor: usize) -> bool {
        let mut current = Some(stage);
        // A stage starts from an earlier one, so this ends.
        while let Some(index) = current {
            if index == ancestor {
                return true;
            }
            current = match self.stages.get(index).map(|stage| &stage.base) {
                Some(Base::Stage(earlier)) if *earlier < index => Some(*earlier),
                _ => None,
            };
        }
        false
    }

    /// The image that `stage` starts from in the end, or `scratch`.
    pub fn root_image(&self, stage: usize) -> &str {
        let mut index = stage;
        loop {
            match self.stages.get(index).map(|stage| &stage.base) {
                Some(Base::Stage(earlier)) if *earlier < index => index = *earlier,
                Some(Base::Image(image)) => return image,
                Some(Base::Scratch | Base::Stage(_)) | None => return "scratch",
            }
        }
    }
}
