// Package export gives the plant's memory to people who work on it elsewhere:
// the samples, texts, modes, labels and findings of chosen tags as one Parquet,
// Arrow or CSV file with a manifest that says what it holds.
//
//	Query → pick (tags, assets) → long or wide rows, in batches → Parquet, Arrow or CSV
//
// The same query over the same data gives the same bytes. Memory does not grow
// with the span. Open reads a long Parquet file back as a Source, so that what
// reads the historian can read an export in its place.
package export
