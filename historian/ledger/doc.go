// Package ledger holds what the edges have sent against what the plant has.
//
// An edge says of each epoch which records there ever were, which are queued or
// were thinned out, and how much was in them (sparkplug.Account): cumulative, again
// and again, so that none of its messages matters. The stores say which records are
// committed and how much was in those, counted in the very step that made them
// durable. Two comparisons follow, and both are exact:
//
//   - records: what has left the edge's queue and was not declared must be here.
//     The edge frees a record on the historian's word alone, and that word follows
//     the commit, so there is no moment at which this is not true;
//   - values: up to a number that everything has left the queue below,
//     sent = stored + declared, class by class.
//
// What is under way is in neither. A difference is an alarm, which returns when it
// is declared, when the records come after all, or when an engineer has said why.
package ledger
