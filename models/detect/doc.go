// Package detect watches assets: it says which sensor lies, which fixed limit is
// broken, in which mode a machine runs and whether it behaves as it did when it
// was commissioned, with the tags that make the difference.
//
// # A sample's way
//
// A Set gets samples of many tags in the order of their arrival. Fixed limits
// look at each sample at once, from the first one on. Everything else works on
// rows: one value per tag of the asset and grid step (1 s of plant time unless
// the asset says otherwise). Plant time is source time times Speed. The samples
// themselves move the grid: there is no clock, goroutine or input/output here,
// and the same samples in the same order give the same findings, however they
// are cut into batches.
//
// A row is closed, in the order mode, sensor checks, limits with a delay,
// model, when a sample of the asset is more than 500 ms younger than the row's
// end (two tags of one server may be a publishing interval apart), or when 64
// younger rows wait. A sample that is late for its row still counts as the
// tag's present value. On a recording (Model.Rows > 0) every distinct source
// time is a row, which also closes as soon as it holds a value of every tag.
//
// A value holds until the next one: servers report by exception, so silence is
// no fault of the tag. Exceptions are tags marked cyclic, tags of recordings
// (three rows) and tags with a declared gap.
//
// # The model
//
// While an asset is commissioned, the rows of each running, settled mode go to a
// memory of bounded size; rows with an open finding do not. Then, once, a model
// is fitted per mode: window-PCA with T² and Q over windows of 20 rows, and the T²
// of exponentially weighted means, which sees small lasting shifts. A tag whose
// level wandered through the whole commissioning has no known normal level and
// stays out of the model until the next one; limits and sensor checks still watch
// it. Levels of tags with a known range may differ by 1 % of the range or 3 % of
// the level, whichever is less: the model is learned with that slack.
//
// Scores of rows outside the fit (four folds in time, each scored by a model of
// the other three, start-up rows left out) calibrate each statistic, and again
// their fusion, by the empirical law with a generalised Pareto tail. A finding is
// raised when 8 of 10 rows are beyond the p-value that a budget of false alarms
// per asset-week allows, and cleared after 30 rows of ten times that p-value.
//
// # Trained models
//
// A model that was trained elsewhere (Trained) may take the place of the learned
// one, mode by mode, or watch in the shadow, where it is scored and told on $SHADOW
// and $WOULD and never raises anything. The learned model goes on seeing every row,
// and learning. Who judges a mode goes on until the window of its successor is full
// in that mode, so that a swap costs no score; in a mode that never lasts as long as
// that window, it judges for good. A finding is the same condition whichever model
// sees it.
//
// A trained model that answers with no number, panics or takes too long is dropped,
// at the row at which it does, and the learned one judges that row.
package detect
