//! The one way to standard output and standard error.

use std::io;
use std::io::Write;

use anstream::AutoStream;
use anstream::ColorChoice;
use serde::Serialize;

use crate::cli::Colour;
use crate::cli::DataFormat;

/// Data goes to standard output, everything else to standard error.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    colour: Colour,
}

impl Printer {
    pub fn new(colour: Colour) -> Self {
        Self { colour }
    }

    /// Writes text that may hold colours to standard output.
    pub fn data(&self, text: &str) -> io::Result<()> {
        let mut out = AutoStream::new(io::stdout().lock(), self.choice());
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Writes bytes as they are to standard output.
    pub fn bytes(&self, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()
    }

    /// Writes one document to standard output.
    pub fn document<T: Serialize>(&self, format: Structured, document: &T) -> anyhow::Result<()> {
        let text = match format {
            Structured::Json => serde_json::to_string_pretty(document)? + "\n",
            Structured::Yaml => serde_saphyr::to_string(document)?,
        };
        Ok(self.bytes(text.as_bytes())?)
    }

    /// Writes text that may hold colours to standard error.
    ///
    /// Where standard error is closed there is nobody to tell.
    pub fn notice(&self, text: &str) {
        let mut err = AutoStream::new(io::stderr().lock(), self.choice());
        let _ = writeln!(err, "{text}");
    }

    /// Puts a text in place of the last line of standard error, which is a terminal.
    pub fn line_so_far(&self, text: &str) {
        let mut err = io::stderr().lock();
        let _ = write!(err, "\r\x1b[K{text}");
        let _ = err.flush();
    }

    fn choice(&self) -> ColorChoice {
        match self.colour {
            Colour::Auto => ColorChoice::Auto,
            Colour::Always => ColorChoice::Always,
            Colour::Never => ColorChoice::Never,
        }
    }
}

/// Formats that programs read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Structured {
    Json,
    Yaml,
}

impl DataFormat {
    /// The format as one that programs read; `None` for text.
    pub fn structured(self) -> Option<Structured> {
        match self {
            Self::Text => None,
            Self::Json => Some(Structured::Json),
            Self::Yaml => Some(Structured::Yaml),
        }
    }
}
