// Package score says how well a works was watched: it compares what detectors
// said with what was really wrong. It sees the ledger, the states of the works
// (modes, coils, heats) and the findings, and never the simulator or a detector:
// the same code scores a real works whose ledger was kept by its crew.
//
// # What is counted
//
// An event is a fault of a machine from its onset in the ledger, P, to its
// functional failure, F: the first time at severity 1, or where it never comes so
// far its repair, or the end of the run. It is found by the first machine finding
// (of a model or a fixed limit) that is raised on the asset in [P, F]. What was
// raised before P finds nothing, even if it stands on. The lead is the share of
// the P–F interval that is left then, (F − alert) ÷ (F − P). What fails at once has
// no such interval: it is found by a finding that is raised before its repair, and
// has no lead.
//
// An alert is what a crew would take for one: machine findings of one asset that
// overlap, or follow within ten minutes. It is right where one of its findings is
// raised while a fault of the machine is there. Otherwise it is a sensor's fault
// called a machine's where a sensor of the asset is at fault, and false where
// nothing is. Precision is the share of right alerts. What a fault does to a
// neighbouring asset counts as false there.
//
// False alerts are counted over healthy time: from when the asset's model began to
// judge to the end, less the time of its faults. Where the asset had changed its
// mode within ten minutes before a false alert, the mode is named as its cause;
// where it had begun another product within half an hour, the product; season and
// weather otherwise. This is nearness and no proof: a machine that changes its
// mode with every coil has no alert that is far from a change.
//
// The faulty tag is right where a tag that the failure mode's symptoms name (in
// the library of classes) is the first, or among the first three, of the finding
// that found the event. The class is right where the first, or one of the first
// three, causes that were told with it is the fault or the more general mode that
// it is a kind of.
package score
