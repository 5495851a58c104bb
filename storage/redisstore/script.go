package redisstore

import "github.com/redis/go-redis/v9"

// script is a Lua script and the name that the server caches it by.
type script struct{ source, sha string }

func newScript(source string) script { return script{source, redis.NewScript(source).Hash()} }

// What a script answers.
const (
	answerCorrupt  = -1 // the key holds a string that is no record
	answerConflict = 0
	answerDone     = 1
)

// Both scripts touch one key only, so that they run on a Cluster; a channel is
// no key. ARGV[1] is the version that must be stored, eight bytes, or empty if
// there must be none. GETRANGE fails on what is no string, before anything is
// written; it returns an empty string for a missing key and for an empty string
// alike. ARGV[2] and ARGV[3] are whom to tell what: first, so that nothing is
// written if that is forbidden; nobody can read before the script has ended.
//
// putScript writes the record ARGV[4]. It knows its own version, which is
// random, from an earlier attempt that came through although its answer did
// not. The record comes last because some errors of Redis show how the
// arguments begin.
//
// deleteScript calls DEL also where there is nothing: a replica, which may lag
// behind, refuses that instead of saying that it is done.
var (
	putScript = newScript(`local c,k,a=redis.call,KEYS[1],ARGV
local v=c('GETRANGE',k,0,7)
if v~=a[1] then
 if v==string.sub(a[4],1,8) then return 1 end
 if #v==8 or c('EXISTS',k)==0 then return 0 end
 return -1
end
if v=='' and c('EXISTS',k)==1 then return -1 end
c('PUBLISH',a[2],a[3])
c('SET',k,a[4])
return 1`)

	deleteScript = newScript(`local c,k,a=redis.call,KEYS[1],ARGV
local v=c('GETRANGE',k,0,7)
if #v<8 then
 if c('EXISTS',k)==0 then c('DEL',k) return 1 end
 return -1
end
if v~=a[1] then return 0 end
c('PUBLISH',a[2],a[3])
c('DEL',k)
return 1`)
)
