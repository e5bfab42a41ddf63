// Package rollout lets an edge run the models that the plant asks for, and no
// others.
//
// An Agent fetches the plant's plan, outbound only, and what it names: bundles
// that the plant has signed (models/bundle). It checks that a bundle fits the
// asset, replays its golden windows on this machine, and hands it to the models.
// What runs lies on disk with its file, so that a restart runs the same without
// the plant. Every refusal and every change is a line of audit.jsonl.
//
// Whatever goes wrong, the model that judged before goes on.
package rollout
