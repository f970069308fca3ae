//! The checker accepts what is right and sees what is not.

mod histories;
mod stores;
