//! Namespaces over any page store: names, snapshots, history, transactions
