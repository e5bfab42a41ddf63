// Package storetest is the suite that every back end of historian/store passes,
// and the load by which they are compared.
package storetest
