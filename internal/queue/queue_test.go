package queue

import (
	"errors"
	"io"
	"testing"
	"time"
)

func TestValuesComeInOrderWhoeverTakesThem(t *testing.T) {
	q := New[int]()
	for v := range 5 {
		if !q.Put(v) {
			t.Fatalf("%d is not taken in", v)
		}
	}
	if v, err := q.Next(); v != 0 || err != nil {
		t.Errorf("got %d, %v, want 0", v, err)
	}
	if all := q.Take(); len(all) != 4 || all[0] != 1 || all[3] != 4 {
		t.Errorf("got %v, want 1 to 4", all)
	}
}

func TestWhatWasPutOutlivesClose(t *testing.T) {
	q := New[string]()
	q.Put("last")
	q.Close(io.EOF)
	q.Close(errors.New("another end"))
	if q.Put("late") {
		t.Error("a value was taken in after Close")
	}
	if v, err := q.Next(); v != "last" || err != nil {
		t.Errorf("got %q, %v, want last", v, err)
	}
	if _, err := q.Next(); err != io.EOF {
		t.Errorf("got %v, want the first end", err)
	}
	if all := q.Take(); all != nil {
		t.Errorf("got %v after the end", all)
	}
}

func TestWhoWaitsIsWoken(t *testing.T) {
	for name, wake := range map[string]func(*Queue[int]){
		"by a value": func(q *Queue[int]) { q.Put(1) },
		"by the end": func(q *Queue[int]) { q.Close(io.EOF) },
	} {
		q := New[int]()
		woken := make(chan struct{})
		go func() {
			q.Take()
			close(woken)
		}()
		wake(q)
		select {
		case <-woken:
		case <-time.After(10 * time.Second):
			t.Errorf("one who waits is not woken %s", name)
		}
	}
}
