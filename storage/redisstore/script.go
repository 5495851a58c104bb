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

// Both scripts touch one key only, so that they run on a Cluster; a channel is no key. ARGV[1] is the version that must be
// stored, eight bytes, or empty if there must be none. GETRANGE fails on what is no string, before anything is written; it
// returns an empty string for a missing key and for an empty string alike. ARGV[2] and ARGV[3] are whom to tell what: first, so that nothing is written if that is forbidden;
// nobody can read before the script has ended.
//
// putScript writes the record ARGV[4]. It knows its own version, which is random, from an earlier attempt that came through
// although its answer did not. The record comes last because some errors of Redis show how the arguments begin.
var (
	putScript = newScript(`local v=redis.call('GETRANGE',KEYS[1],0,7)
if v~=ARGV[1] then
 if v==string.sub(ARGV[4],1,8) then return 1 end
 if #v==8 or redis.call('EXISTS',KEYS[1])==0 then return 0 end
 return -1
end
if v=='' and redis.call('EXISTS',KEYS[1])==1 then return -1 end
redis.call('PUBLISH',ARGV[2],ARGV[3])
redis.call('SET',KEYS[1],ARGV[4])
return 1`)

	deleteScript = newScript(`local v=redis.call('GETRANGE',KEYS[1],0,7)
if #v<8 then
 if redis.call('EXISTS',KEYS[1])==0 then return 1 end
 return -1
end
if v~=ARGV[1] then return 0 end
redis.call('PUBLISH',ARGV[2],ARGV[3])
redis.call('DEL',KEYS[1])
return 1`)
)
