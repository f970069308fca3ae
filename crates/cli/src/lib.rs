//! The command hozo
