//go:build linux

package load

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// clockTick is the unit of CPU times in /proc: USER_HZ, 100 on every Linux that Go runs on.
const clockTick = 100

// Usage is what a set of processes has used so far.
type Usage struct {
	// CPU is on-CPU time in seconds, exact to nanoseconds (schedstat); User and System split it with the precision of a
	// tick.
	CPU, User, System float64
	// RSS is resident memory in bytes (smaps_rollup: VmRSS lags behind by pages per thread).
	RSS     int64
	Threads int
}

// ReadUsage reads /proc for one process.
func ReadUsage(pid int) (Usage, error) {
	var u Usage
	dir := "/proc/" + strconv.Itoa(pid)
	tasks, err := filepath.Glob(dir + "/task/*/schedstat")
	if err != nil || len(tasks) == 0 {
		return u, fmt.Errorf("read usage: no process %d", pid)
	}
	for _, name := range tasks {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // a thread that ended meanwhile
		}
		first, _, _ := bytes.Cut(text, []byte(" "))
		ns, _ := strconv.ParseInt(string(first), 10, 64)
		u.CPU += float64(ns) / 1e9
	}
	u.Threads = len(tasks)
	if stat, err := os.ReadFile(dir + "/stat"); err == nil {
		u.User, u.System = statTimes(stat)
	}
	rollup, err := os.ReadFile(dir + "/smaps_rollup")
	if err != nil {
		return u, fmt.Errorf("read memory: %w", err)
	}
	u.RSS = kilobytes(string(rollup), "Rss:") << 10
	return u, nil
}

// statTimes reads utime and stime from /proc/PID/stat, in seconds.
func statTimes(stat []byte) (user, system float64) {
	// The second field is a name in parentheses that may hold anything.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0, 0
	}
	u, _ := strconv.ParseFloat(fields[11], 64)
	s, _ := strconv.ParseFloat(fields[12], 64)
	return u / clockTick, s / clockTick
}

// kilobytes reads one "Name:   123 kB" line.
func kilobytes(text, name string) int64 {
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == name {
			n, _ := strconv.ParseInt(fields[1], 10, 64)
			return n
		}
	}
	return 0
}

// slabBytes is the kernel's memory in slabs, machine-wide: where sockets live.
func slabBytes() int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	return kilobytes(string(text), "Slab:") << 10
}

// Machine describes where a run took place, without naming it.
func Machine(cpus int, goVersion, arch string) string {
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	kernel := strings.TrimSpace(string(release))
	if parts := strings.SplitN(kernel, ".", 3); len(parts) == 3 {
		kernel = parts[0] + "." + parts[1]
	}
	memory := ""
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		memory = fmt.Sprintf(", %.0f GiB of memory", float64(kilobytes(string(text), "MemTotal:"))/(1<<20))
	}
	return fmt.Sprintf("%d CPUs (%s)%s, Linux %s, %s; clients, app server and edge share it and talk over loopback",
		cpus, arch, memory, kernel, goVersion)
}

// residentBytes is a process's RSS from /proc/PID/statm: cheap, and exact to some pages.
func residentBytes(pid int) int64 {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}
