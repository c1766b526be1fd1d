package rank

import (
	"errors"
	"fmt"
	"slices"
)

// Key is a name under which a library keeps a value of type T on communicators,
// on each at most one (attribute caching, MPI 4.1 §7.7). Only who holds the Key
// reaches the values, so libraries cannot meet. A value is of one rank, and no
// call communicates. A communicator and its twins have the same attributes.
//
// A Key is known by its address and must not be copied. It may be dropped while
// communicators have values under it: its hooks run all the same
// (MPI_Comm_free_keyval). The zero Key is one without hooks.
type Key[T any] struct {
	_     [0]*T // no conversion between keys of different types
	hooks keyHooks
}

// KeyHooks are what happens to the values under a Key besides Set, Get and
// Delete. They may make any call, but for Set and Delete of the same value.
type KeyHooks[T any] struct {
	// Copy is called when parent is duplicated, within Dup or Idup and before
	// any message of that, and returns the value that dup has if keep. dup cannot
	// be used yet. An error fails the duplication, on the other ranks with
	// ErrMismatch. Nil: duplicates have no value (MPI_COMM_NULL_COPY_FN).
	Copy func(parent, dup *Comm, value T) (copied T, keep bool, err error)
	// Delete is called before a value goes: when Set replaces it, by Delete, by
	// Free of its communicator, and if that is Self or the world by Leave. An
	// error fails that call, and the value stays. Nil: nothing happens.
	Delete func(c *Comm, value T) error
}

// NewKey returns a Key that no communicator has a value under
// (MPI_Comm_create_keyval).
func NewKey[T any](hooks KeyHooks[T]) *Key[T] {
	k := new(Key[T])
	if hooks.Copy != nil {
		k.hooks.copy = func(parent, dup *Comm, value any) (any, bool, error) {
			v, _ := value.(T)
			return hooks.Copy(parent, dup, v)
		}
	}
	if hooks.Delete != nil {
		k.hooks.delete = func(c *Comm, value any) error {
			v, _ := value.(T)
			return hooks.Delete(c, v)
		}
	}
	return k
}

// keyHooks are KeyHooks of values of any type; their address names the key.
type keyHooks struct {
	copy   func(parent, dup *Comm, value any) (any, bool, error)
	delete func(c *Comm, value any) error
}

// attribute is a value on a communicator.
type attribute struct {
	key   *keyHooks
	value any // of the key's type; nil also stands for a nil of an interface type
}

// Get returns c's value under k; false if it has none (MPI_Comm_get_attr). It
// takes a few nanoseconds and no lock, and allocates nothing.
func (k *Key[T]) Get(c *Comm) (value T, ok bool) {
	if c == nil {
		return value, false
	}
	list := c.origin().attributes.Load()
	if list == nil {
		return value, false
	}
	for i := range *list {
		if a := &(*list)[i]; a.key == &k.hooks {
			value, _ = a.value.(T)
			return value, true
		}
	}
	return value, false
}

// Set gives c the value under k, and deletes the one it had (MPI_Comm_set_attr).
// Errors: that of the Delete hook, and then c has the value that it had;
// ErrConcurrent while another call, or the one that called the hook that calls
// this, deletes that value; ErrComm, ErrFreed, ErrLeft.
func (k *Key[T]) Set(c *Comm, value T) error {
	return c.changeAttribute("Set", &k.hooks, &attribute{&k.hooks, value})
}

// Delete takes c's value under k away, if it has one (MPI_Comm_delete_attr).
// Errors: as Set.
func (k *Key[T]) Delete(c *Comm) error {
	return c.changeAttribute("Delete", &k.hooks, nil)
}

// changeAttribute is Set, or with nil Delete.
func (c *Comm) changeAttribute(op string, key *keyHooks, next *attribute) error {
	if err := c.usable(op); err != nil {
		return err
	}
	if err := c.origin().change(key, next); err != nil {
		return c.fail(op, Null, AnyTag, err)
	}
	return nil
}

// origin returns the communicator that c is a twin of, or c.
func (c *Comm) origin() *Comm {
	if c.twinOf != nil {
		return c.twinOf
	}
	return c
}

// change deletes c's value under key, if there is one, and then sets next unless
// that is nil. Readers have the old value until its hook has returned, and who
// else wants to change it meanwhile is refused: no value is deleted twice.
func (c *Comm) change(key *keyHooks, next *attribute) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if next != nil && c.closed != nil {
		return c.closed
	}
	if slices.Contains(c.deleting, key) {
		return fmt.Errorf("%w: the attribute is being deleted", ErrConcurrent)
	}
	list := c.attributeList()
	if i := indexOf(list, key); i >= 0 && key.delete != nil {
		if err := c.callDelete(key, list[i].value); err != nil {
			return err
		}
		list = c.attributeList() // other keys may have changed
	}
	changed := make([]attribute, 0, len(list)+1)
	for _, a := range list {
		if a.key != key {
			changed = append(changed, a)
		}
	}
	if next != nil {
		changed = append(changed, *next)
	}
	c.attributes.Store(&changed)
	return nil
}

// callDelete calls the hook without c.mu, which is held before and after.
func (c *Comm) callDelete(key *keyHooks, value any) error {
	c.deleting = append(c.deleting, key)
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		i := slices.Index(c.deleting, key)
		c.deleting = slices.Delete(c.deleting, i, i+1)
	}()
	return key.delete(c, value)
}

// attributeList returns c's attributes in the order in which they were set. The
// list is replaced, never changed, so that Get needs no lock.
func (c *Comm) attributeList() []attribute {
	if list := c.attributes.Load(); list != nil {
		return *list
	}
	return nil
}

func indexOf(list []attribute, key *keyHooks) int {
	return slices.IndexFunc(list, func(a attribute) bool { return a.key == key })
}

// clearAttributes deletes the attributes of comms, one after the other, of each the
// last set first. When it succeeds none can be set any more, for the reason why;
// what it has deleted when it fails stays deleted.
func clearAttributes(why error, comms ...*Comm) error {
	for _, c := range comms {
		if err := c.clear(why); err != nil {
			for _, c := range comms {
				c.close(nil)
			}
			return err
		}
	}
	return nil
}

// clear is clearAttributes of c.
func (c *Comm) clear(why error) error {
	for {
		c.mu.Lock()
		list := c.attributeList()
		if len(list) == 0 {
			c.closed = why
			c.mu.Unlock()
			return nil
		}
		c.mu.Unlock()
		if err := c.change(list[len(list)-1].key, nil); err != nil {
			return err
		}
	}
}

// close says why no attribute can be set any more, or with nil that one can.
func (c *Comm) close(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = why
}

// copyAttributes gives d, which nobody else knows yet, what the Copy hooks make
// of c's attributes.
func (c *Comm) copyAttributes(d *Comm) error {
	c = c.origin()
	for _, a := range c.attributeList() {
		if a.key.copy == nil {
			continue
		}
		value, keep, err := a.key.copy(c, d, a.value)
		if err == nil && keep {
			err = d.change(a.key, &attribute{a.key, value})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// discard deletes the attributes of d, whose duplication has failed with err,
// which it returns with what else failed.
func (d *Comm) discard(err error) error {
	return errors.Join(err, d.clear(ErrComm))
}
