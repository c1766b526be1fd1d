// Package board is how a process shows others of its user what it does, and answers
// them, with no name in a file system and no socket that listens.
//
// What is shown is sealed memory of which the process holds a descriptor. Others find
// it by the name that /proc/PID/fd gives it and open it there, which the kernel permits
// to processes of the same user only. A change is other memory under the same
// descriptor number, so a reader has all of what was shown at one moment, and nobody
// can write into it.
//
// A request is a line in a pipe that is opened the same way. The answer is sealed memory
// too, held under a name that the request has chosen until it was fetched, or for a while.
// So the process that answers opens nothing that others name, writes to nothing of theirs
// and waits for none of them: who asks and goes away costs it some memory for that while.
package board
