// Package train makes the trained models of assets: it reads what the plant
// remembers, leaves out what was no healthy running, trains a window autoencoder
// per operating mode, sets its limit to a budget of false alarms, and tries the
// result on a part of the past that it has never seen, beside the detector that
// the edge learns by itself.
//
// # The rows
//
// The samples go, in the order of their source times, through a detect.Set as
// they do on the edge. What the Set judges are the rows: values, masks, mode and
// all. A row is left out where a label, an alarm, a limit, a declared gap, a
// mode that is not settled or too many masked tags speak against it; Report
// counts them by their reason. What stays is kept in blocks of consecutive rows,
// thinned evenly where it is more than a training needs.
//
// # The split
//
// The last part of the period is for the backtest alone. The rows of a mode
// before it are cut into twelve pieces of time: the last one says when to stop
// training, four that lie between the others calibrate, the rest are fitted.
//
// # The limit
//
// The detector raises when eight of ten rows are beyond the limit. So the eighth
// largest score of the last ten rows is what decides, and its maxima over blocks
// of time are what a budget of alarms per asset-week is about: the limit is where
// a block's maximum lies with the probability that the budget allows one block.
//
// # Reproducible
//
// The same samples, labels, alarms, options and seed give the same weights, bit
// for bit, on one architecture. Nothing here looks at the clock except what tells
// people how long it will take.
//
// Only this package imports gorgonia. The edge runs the same network without it
// (models/autoencoder), and every training ends with the proof that both agree.
package train
