// Package e2e proves the whole line with the real program: its processes are
// started, killed and looked at from outside, over their sockets, as their users
// would. It holds tests only.
package e2e
