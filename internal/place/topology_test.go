package place

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// twoSockets is a host of two sockets with two cores each of two hardware threads,
// whose caches of the third level are the sockets' and whose memory is one.
func twoSockets() *Topology {
	return &Topology{Cores: []Core{
		{CPUs: []int{0, 4}, Socket: 0, NUMA: 0, L3: 0}, {CPUs: []int{1, 5}, Socket: 0, NUMA: 0, L3: 0},
		{CPUs: []int{2, 6}, Socket: 1, NUMA: 0, L3: 1}, {CPUs: []int{3, 7}, Socket: 1, NUMA: 0, L3: 1},
	}}
}

// linux is the files by which Linux describes it.
func linux() map[string]string {
	files := map[string]string{
		"/sys/devices/system/cpu/online":         "0-7\n",
		"/sys/devices/system/node/online":        "0-1\n",
		"/sys/devices/system/node/node0/cpulist": "0-7\n",
		"/sys/devices/system/node/node1/cpulist": "\n", // memory only
		"/proc/self/status":                      "Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t0-7\nMems_allowed:\t1\n",
	}
	for cpu := range 8 {
		dir := fmt.Sprintf("/sys/devices/system/cpu/cpu%d/", cpu)
		maps.Copy(files, map[string]string{
			dir + "topology/thread_siblings_list":  fmt.Sprintf("%d,%d\n", cpu%4, cpu%4+4),
			dir + "topology/physical_package_id":   fmt.Sprintf("%d\n", cpu%4/2*36),
			dir + "cache/index0/level":             "1\n",
			dir + "cache/index1/level":             "3\n",
			dir + "cache/index1/shared_cpu_list":   []string{"0-1,4-5\n", "2-3,6-7\n"}[cpu%4/2],
			dir + "cache/index0/shared_cpu_list":   fmt.Sprintf("%d\n", cpu),
			dir + "topology/core_siblings_list":    "0-7\n",
			dir + "topology/thread_siblings":       "ff\n",
			dir + "topology/physical_package_list": "0\n",
		})
	}
	return files
}

func reader(files map[string]string) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		text, ok := files[name]
		if !ok {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		return []byte(text), nil
	}
}

func TestTopologyIsRead(t *testing.T) {
	got, err := ReadTopology(reader(linux()))
	if want := twoSockets(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v %v\nwant %+v", got, err, want)
	}

	// A process that may not use the first socket finds the second by its number.
	files := linux()
	files["/proc/self/status"] = "Cpus_allowed_list:\t2,6-7\n"
	got, err = ReadTopology(reader(files))
	want := &Topology{Cores: []Core{{CPUs: []int{2, 6}, Socket: 1, NUMA: 0, L3: 1}, {CPUs: []int{7}, Socket: 1, NUMA: 0, L3: 1}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v %v\nwant %+v", got, err, want)
	}

	// A system that tells only which CPUs there are.
	got, err = ReadTopology(reader(map[string]string{"/sys/devices/system/cpu/online": "0,2"}))
	want = &Topology{Cores: []Core{{CPUs: []int{0}, Socket: -1, NUMA: -1, L3: -1}, {CPUs: []int{2}, Socket: -1, NUMA: -1, L3: -1}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v %v\nwant %+v", got, err, want)
	}
	all := hosts(t, "aa", got)
	_, err = Ranks(all, Options{BindTo: "numa"})
	if want := "binding to numa: host aa does not tell which numa its cores belong to"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}

	for _, files := range []map[string]string{nil, {"/sys/devices/system/cpu/online": "none"}} {
		_, err = ReadTopology(reader(files))
		if err == nil || !strings.HasPrefix(err.Error(), "the topology of this host is not known: /sys/devices/system/cpu/online holds ") {
			t.Errorf("%v: %v", files, err)
		}
	}
	files["/proc/self/status"] = "Cpus_allowed_list:\t9\n"
	if _, err = ReadTopology(reader(files)); err == nil {
		t.Error("no CPU may be used, and there is no error")
	}
}

func TestThisHostHasATopology(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux describes a host's processors in files")
	}
	got, err := ReadTopology(os.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, c := range got.Cores {
		n += len(c.CPUs)
	}
	if n != runtime.NumCPU() {
		t.Errorf("%d CPUs in %+v, and the runtime counts %d", n, got, runtime.NumCPU())
	}
}

func TestRanksAreBound(t *testing.T) {
	for _, test := range []struct {
		ranks   int
		options Options
		want    string
	}{
		{2, Options{}, "aa 0 1"},
		{2, Options{MapBy: "socket"}, "aa 0 1"},
		{2, Options{BindTo: "core"}, "aa 0[0,1,4,5] 1[2,3,6,7]"},
		{4, Options{BindTo: "core"}, "aa 0[0,4] 1[1,5] 2[2,6] 3[3,7]"},
		{6, Options{BindTo: "core"}, "aa 0[0,4] 1[1,5] 2[2,6] 3[3,7] 4[0,4] 5[1,5]"},
		{2, Options{BindTo: "core", MapBy: "socket"}, "aa 0[0,1,4,5] 1[2,3,6,7]"},
		{4, Options{BindTo: "core", MapBy: "socket"}, "aa 0[0,4] 1[2,6] 2[1,5] 3[3,7]"},
		{3, Options{BindTo: "core", MapBy: "l3cache"}, "aa 0[0,4] 1[2,3,6,7] 2[1,5]"},
		{3, Options{BindTo: "core", MapBy: "ppr:2:socket"}, "aa 0[0,4] 1[1,5] 2[2,3,6,7]"},
		{0, Options{BindTo: "socket", MapBy: "ppr:1:socket"}, "aa 0[0,1,4,5] 1[2,3,6,7]"},
		{2, Options{BindTo: "hwthread"}, "aa 0[0] 1[2]"},
		{8, Options{BindTo: "hwthread"}, "aa 0[0] 1[4] 2[1] 3[5] 4[2] 5[6] 6[3] 7[7]"},
		{9, Options{BindTo: "hwthread", MapBy: "hwthread"}, "aa 0[0] 1[4] 2[1] 3[5] 4[2] 5[6] 6[3] 7[7] 8[0]"},
		{4, Options{BindTo: "hwthread", MapBy: "socket"}, "aa 0[0] 1[2] 2[1] 3[3]"},
		{2, Options{BindTo: "socket"}, "aa 0[0,1,4,5] 1[2,3,6,7]"},
		{4, Options{BindTo: "socket"}, "aa 0[0,1,4,5] 1[0,1,4,5] 2[2,3,6,7] 3[2,3,6,7]"},
		{4, Options{BindTo: "socket", MapBy: "socket"}, "aa 0[0,1,4,5] 1[2,3,6,7] 2[0,1,4,5] 3[2,3,6,7]"},
		{2, Options{BindTo: "numa"}, "aa 0[0,1,2,3,4,5,6,7] 1[0,1,2,3,4,5,6,7]"},
		{2, Options{BindTo: "l3cache", MapBy: "node"}, "aa 0[0,1,4,5] 1[2,3,6,7]"},
	} {
		all := hosts(t, "aa slots=16", twoSockets())
		if test.options.MapBy == "ppr:1:socket" {
			all = hosts(t, "aa", twoSockets())
		}
		test.options.Ranks = test.ranks
		places, err := Ranks(all, test.options)
		if got := show(all, places); err != nil || got != test.want {
			t.Errorf("%+v\n got: %s %v\nwant: %s", test.options, got, err, test.want)
		}
	}
	// A host that is not used need not be known.
	all := hosts(t, "aa, bb", nil)
	all[0].Topology = twoSockets()
	places, err := Ranks(all, Options{Ranks: 1, BindTo: "hwthread"})
	if got, want := show(all, places), "aa 0[0]; bb"; err != nil || got != want {
		t.Errorf("%s %v, want %s", got, err, want)
	}
}
