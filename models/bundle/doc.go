// Package bundle carries a trained model from the place where it was trained to
// the edges that run it, so that an edge runs only what the plant has signed.
//
// A Bundle is one file, ID.mwb: what the model is, its networks, golden windows
// with the scores that the trainer got for them, and the trainer's report
// (FORMAT.md). The same model gives the same bytes.
//
// A Repository is a folder of signed files after The Update Framework (TUF).
// Bundles are signed by the role targets, whose key lies on a stick in a safe.
// Which asset runs which of them is the Plan, rollout.json, signed by the role
// rollout, whose key the plant's server holds: who takes over that server can
// choose among signed bundles, and make none. A Client reads a Repository over
// HTTP or from a folder, refuses what is unsigned, older than what it has seen,
// mixed or too large, and verifies all bytes before anything parses them.
package bundle
