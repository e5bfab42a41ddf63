// Package vibration makes what an accelerometer on a machine sees: from one
// Signal, the waveform and the features that are computed from it.
//
// The models are those that the literature agrees on: shaft orders as lines; a
// gear mesh with amplitude and phase modulation (McFadden 1986); bearing defects
// as impacts with a distance that varies, each ringing a resonance of the
// structure (McFadden and Smith 1984; Antoni and Randall 2003); noise of a flow
// above 2 kHz, modulated at the vanes' frequency; white noise.
//
// The speed is constant within a burst.
package vibration
