//! PageStore over any ordered key-value engine, with the commit sequencer that local engines share
