// Package config is the configuration file of one edge node: plain structs, strict decoding, defaults, bounds, a
// canonical form and a watcher that reloads the file when it changes.
//
// It is the only place where the two halves of the project meet: the operator fills a Config and renders it with
// Marshal, the edge reads it with Load. It is not a command line, it reads no environment, and it decides nothing: it
// says what is configured, and the packages of the edge act on it.
//
// Secrets have the type Secret, which no formatting verb, logger or JSON encoder can print; Marshal alone writes them.
//
// Concurrency: a Config is not changed after Load or Parse has returned it and may then be shared freely; to change
// one, Clone it first. A Watcher may be used by several goroutines.
package config
