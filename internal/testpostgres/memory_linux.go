package testpostgres

import "syscall"

// memoryFolder is a folder that lies in memory, if there is one with room: databases are made and dropped there up to
// fifteen times as fast as on disk.
func memoryFolder() (string, bool) {
	const shm, tmpfs, room = "/dev/shm", 0x01021994, 2 << 30
	var fs syscall.Statfs_t
	if err := syscall.Statfs(shm, &fs); err != nil || fs.Type != tmpfs {
		return "", false
	}
	return shm, fs.Bavail*uint64(fs.Bsize) >= room
}
