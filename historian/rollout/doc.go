// Package rollout is the plant's side of trained models: which bundles there are,
// which asset is to run which of them, what the edges say of it, how far live
// scores have drifted from calibration, and what a model in the shadow would have
// told. It signs changes of the plan; bundles it cannot sign.
package rollout
