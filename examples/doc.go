// Package examples holds hosts that embed the CRM, each in a folder of its own. It is a module of its own, so that the drivers
// and libraries that a host chooses stay out of another host's go.mod.
package examples
