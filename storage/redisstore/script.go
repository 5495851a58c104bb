package redisstore

import "github.com/redis/go-redis/v9"

// script is a Lua script, and its name in the cache of the server.
type script struct{ source, sha string }

func newScript(source string) script { return script{source, redis.NewScript(source).Hash()} }

// The answers of the scripts.
const (
	answerCorrupt  = -1 // the key holds a string that is no record
	answerConflict = 0
	answerDone     = 1
)

// Both scripts touch one key only, so that they run on a Cluster. A channel is
// no key. ARGV[1] is the version that must be stored: eight bytes, or nothing
// if there must be no record. GETRANGE fails for a value that is no string,
// before anything is written. It returns an empty string for a missing key and
// for an empty string. ARGV[2] is the channel and ARGV[3] the notification, or
// empty if there is none. A PUBLISH that fails, because it is forbidden, fails
// no write. It may come before the write: no other client can read before the
// script has ended.
//
// putScript writes the record ARGV[4]. Its version is random. So the script
// recognizes the record of an earlier attempt whose answer was lost. The record
// is the last argument, because some errors of Redis show the first ones.
//
// deleteScript calls DEL also if there is nothing. A replica, which may be
// behind its master, refuses that, and cannot say that the record is deleted.
var (
	putScript = newScript(`local c,p,k,a=redis.call,redis.pcall,KEYS[1],ARGV
local v=c('GETRANGE',k,0,7)
if v~=a[1] then
 if v==string.sub(a[4],1,8) then return 1 end
 if #v==8 or c('EXISTS',k)==0 then return 0 end
 return -1
end
if v=='' and c('EXISTS',k)==1 then return -1 end
if a[3]~='' then p('PUBLISH',a[2],a[3]) end
c('SET',k,a[4])
return 1`)

	deleteScript = newScript(`local c,p,k,a=redis.call,redis.pcall,KEYS[1],ARGV
local v=c('GETRANGE',k,0,7)
if #v<8 then
 if c('EXISTS',k)==0 then c('DEL',k) return 1 end
 return -1
end
if v~=a[1] then return 0 end
p('PUBLISH',a[2],a[3])
c('DEL',k)
return 1`)
)
