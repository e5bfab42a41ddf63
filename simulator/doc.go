// Package simulator is a steel works that can break: the physics of the machines
// worth watching, the faults they develop, a ledger of what was really wrong, and
// an OPC UA server through which alone anybody else sees it.
//
// A works is data: tags, assets, and where and when it stands (see Works). The
// demonstration has three machines; the reference works is whole. Machines that
// are known deeply follow the equations of the textbooks named beside them; all
// other assets move by kind of measurement (machine.Shallow). Sensors have lag,
// noise, range and resolution, and healthy data vary as the products, the grid and
// the weather do.
//
// Plant time runs Speed times as fast as the clock; the source times of values
// are always the clock's. A run is determined by its seed: what is measured at a
// plant time does not depend on how fast the host is. Faults grow by laws in
// closed form or, in service, by the load in cells of a fixed grid of plant time
// (package wear), so that their severity does not depend on the step of the
// simulation. What breaks is told by hand, by a Scenario or by chance (Random).
//
// The package knows nothing of detectors.
package simulator
