// (package documentation: see below)
package collectives
