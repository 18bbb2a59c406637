#!lua name=millstream
-- The functions by which Millstream writes its state. Each call is atomic and names keys of
-- one cluster slot only. A Lua error does not undo what was written before it, so a call first
-- checks everything, then decides by reading, then writes. No clock, no chance, no pcall: what
-- is written depends on the arguments and the stored state alone.
-- Names carry a contract version; a layout only grows, so that two releases may run side by side.

local COUNT, TALLY, SPAN, DECAY, RECENT = 1, 2, 3, 4, 5
local TYPES = 11
local ERASE = 10
local BAD, LATE = -1, -2
local MAX_OFFSET = 9007199254740992 -- 2^53: past it a double skips integers

-- tostring would print 1e15 in a form that is no integer.
local function decimal(n)
  return string.format('%.0f', n)
end

local function integer(text, name)
  local n = tonumber(text)
  if not n or n ~= math.floor(n) or n < 0 or n >= MAX_OFFSET then
    error({err = 'BADARG ' .. name .. ' is not an integer from 0 to 2^53'})
  end
  return n
end

---------------------------------------------------------------- a shopper's packed fields

local function decayed(stored, time, lives)
  local out = {time}
  local age = 0
  if stored then
    out[1] = math.max(stored[1], time)
    age = math.max(0, time - stored[1])
  end
  for i, life in ipairs(lives) do
    out[i + 1] = (stored and stored[i + 1] or 0) * 2 ^ (-age / life) + 1
  end
  return out
end

-- {n, "item\tkind\tms in hex\n..."}: ids hold no control characters, and one string costs a tenth
-- of a table per touch to unpack and pack again.
local function touched(stored, op, bound)
  local n, text = 0, ''
  if stored then n, text = stored[1], stored[2] end
  local tail = string.format('\t%d\t%x\n', op.kind, op.event_ms)
  local front, seen, fresh = {}, {}, 0
  for _, item in ipairs(op.items) do
    if not seen[item] and fresh < bound then
      seen[item], fresh = true, fresh + 1
      front[fresh] = item .. tail
      local first = string.find('\n' .. text, '\n' .. item .. '\t', 1, true)
      if first then
        local last = string.find(text, '\n', first, true)
        text, n = string.sub(text, 1, first - 1) .. string.sub(text, last + 1), n - 1
      end
    end
  end
  n, text = n + fresh, table.concat(front) .. text
  while n > bound do
    n, text = n - 1, string.match(text, '^(.*\n)[^\n]*\n$')
  end
  return {n, text}
end

local function written(stored, write, args, op)
  if write == COUNT then
    return (stored or 0) + 1
  elseif write == TALLY then
    local tally = stored or {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
    tally[op.kind + 1] = tally[op.kind + 1] + 1
    return tally
  elseif write == SPAN then
    local t = op.event_ms
    if not stored then return {t, t, 1} end
    return {math.min(stored[1], t), math.max(stored[2], t), stored[3] + 1}
  elseif write == DECAY then
    return decayed(stored, op.event_ms, args)
  end
  return touched(stored, op, args[1])
end

local function run_program(fields, program, op)
  for place, feature in ipairs(program) do
    if fields[place] == nil then fields[place] = false end
    if feature[2][op.kind + 1] == 1 then
      fields[place] = written(fields[place], feature[1], feature[3], op)
    end
  end
end

---------------------------------------------------------------- recs_apply_v1

-- KEYS: f, c, x, q of the slot; one i per tenant; then u, d per shopper.
-- ARGV: 1 "<topic>:<partition>", 2 epoch, 3 from, 4 to, 5 clock (ms), 6 witness,
--       7 limits: msgpack {window_ms, cap, partitions}, 8 program: msgpack,
--       9 tenants: msgpack {tenant, ...}, 10 shoppers: msgpack {"<tenant>:<shopper>", ...},
--       11 ops: msgpack {{offset, log_ms, kind, shopper, tenant, event_ms, {item, ...}}, ...}
--          (shopper and tenant count from 0; kind -1 is a bad record, -2 a late one: both end
--          after kind, and are only counted),
--       12 digests: 16 bytes for each op that is neither bad nor late, one after the other
--          (cmsgpack knows no binary type).
-- Reply: {"OK", next, verdicts, state, ...}: a letter per op: a accepted, d duplicate, l late,
--        e erased, o over-full, b bad, - applied before; then each shopper's packed state.
--        {"STALE", F, "", state, ...}, {"GAP", F} or {"EPOCH", epoch}: nothing was written.

local function parse(keys, args)
  local call = {
    fences = keys[1], clocks = keys[2], erased = keys[3], dirty = keys[4],
    field = args[1], epoch = args[2],
    from = integer(args[3], 'from'), to = integer(args[4], 'to'),
    clock = integer(args[5], 'clock'), witness = args[6],
    limits = cmsgpack.unpack(args[7]), program = cmsgpack.unpack(args[8]),
    tenants = cmsgpack.unpack(args[9]), shoppers = cmsgpack.unpack(args[10]), ops = {},
  }
  if call.from > call.to then error({err = 'BADARG from is past to'}) end
  local first_user = 4 + #call.tenants
  if #keys ~= first_user + 2 * #call.shoppers then
    error({err = 'BADARG the keys do not fit the tenants and shoppers'})
  end
  local last, digests = call.from - 1, 0
  for i, raw in ipairs(cmsgpack.unpack(args[11])) do
    local op = {offset = raw[1], log_ms = raw[2], kind = raw[3]}
    if op.offset <= last or op.offset >= call.to then
      error({err = 'BADARG offsets must rise inside [from,to)'})
    end
    last = op.offset
    if op.kind >= 0 then
      op.user, op.tenant, op.event_ms, op.items = raw[4] + 1, raw[5] + 1, raw[6], raw[7]
      op.digest = string.sub(args[12], digests + 1, digests + 16)
      digests = digests + 16
      if op.kind >= TYPES or not call.shoppers[op.user] or not call.tenants[op.tenant]
        or #op.digest ~= 16 then
        error({err = 'BADARG an op is out of its bounds'})
      end
    end
    call.ops[i] = op
  end
  call.users = {}
  for i, name in ipairs(call.shoppers) do
    call.users[i] = {name = name, u = keys[first_user + 2 * i - 1], d = keys[first_user + 2 * i]}
  end
  return call
end

-- Ids older than this can go: no copy of them that is still to come would be accepted.
-- The slowest partition decides, since it may still hold a copy.
local function prune_below(call)
  local clocks = redis.call('HVALS', call.clocks)
  if #clocks < call.limits[3] then return nil end
  local slowest = math.huge
  for _, clock in ipairs(clocks) do slowest = math.min(slowest, tonumber(clock)) end
  return slowest - call.limits[1]
end

local function load_user(call, user, cut)
  local packed = redis.call('GET', user.u)
  user.packed = packed
  user.fields = packed and cmsgpack.unpack(packed) or {}
  user.ids = {}    -- digest -> log ms, to be added
  user.added = 0
  user.held = redis.call('ZCARD', user.d)
  if cut and user.held > 0 then
    user.cut = cut
    user.held = user.held - redis.call('ZCOUNT', user.d, '-inf', '(' .. decimal(cut))
  end
  local mark = redis.call('HGET', call.erased, user.name)
  user.mark = mark and tonumber(mark) or nil
end

local function seen_before(user, digest)
  if user.ids[digest] then return true end
  if user.wiped then return false end
  return redis.call('ZSCORE', user.d, digest) ~= false
end

-- Verdict of one op; changes only the Lua tables in `user` and `sums`.
local function decide(call, op, sums)
  local user = call.users[op.user]
  if not user.fields then load_user(call, user, call.cut) end
  if user.mark and (op.log_ms <= user.mark or op.event_ms <= user.mark) then return 'e' end
  if seen_before(user, op.digest) then return 'd' end
  if op.kind == ERASE then
    -- Its own id is kept: the mark does not cover a retry from a shop whose clock is ahead.
    user.mark, user.wiped, user.touched = op.log_ms, true, true
    user.fields, user.counted, user.held = {}, false, 0
    user.ids, user.added = {[op.digest] = op.log_ms}, 1
    return 'a'
  end
  if user.held + user.added >= call.limits[2] then return 'o' end
  user.ids[op.digest] = op.log_ms
  user.added = user.added + 1
  user.touched, user.counted = true, true
  run_program(user.fields, call.program, op)
  for _, item in ipairs(op.items) do
    local counts = sums.items[op.tenant] or {}
    local field = op.kind .. '|' .. item
    counts[field] = (counts[field] or 0) + 1
    sums.items[op.tenant] = counts
    sums.dirty[op.kind .. '|' .. call.tenants[op.tenant] .. ':' .. item] = true
    sums.lines = sums.lines + 1
  end
  return 'a'
end

local function save_user(call, user)
  if user.wiped then
    redis.call('DEL', user.u, user.d)
    redis.call('HSET', call.erased, user.name, decimal(user.mark))
  end
  if user.cut and not user.wiped then
    redis.call('ZREMRANGEBYSCORE', user.d, '-inf', '(' .. decimal(user.cut))
  end
  if user.counted then
    user.packed = cmsgpack.pack(user.fields)
    redis.call('SET', user.u, user.packed)
  elseif user.wiped then
    user.packed = false
  end
  for digest, log_ms in pairs(user.ids) do
    redis.call('ZADD', user.d, decimal(log_ms), digest)
  end
end

local function save(keys, call, sums)
  for _, user in ipairs(call.users) do
    if user.touched then save_user(call, user) end
  end
  for tenant, counts in pairs(sums.items) do
    for field, n in pairs(counts) do redis.call('HINCRBY', keys[4 + tenant], field, n) end
  end
  for member in pairs(sums.dirty) do redis.call('SADD', call.dirty, member) end
  redis.call('HSET', call.fences, 't:' .. call.field, decimal(call.to),
    'w:' .. call.field, call.witness)
  for name, n in pairs(sums.ledger) do
    redis.call('HINCRBY', call.fences, name .. ':' .. call.field, n)
  end
  if sums.lines > 0 then redis.call('HINCRBY', call.fences, 'itm:' .. call.field, sums.lines) end
  local clock = redis.call('HGET', call.clocks, call.field)
  if not clock or tonumber(clock) < call.clock then
    redis.call('HSET', call.clocks, call.field, decimal(call.clock))
  end
end

local function states(call, reply)
  for _, user in ipairs(call.users) do
    if user.fields then
      reply[#reply + 1] = user.packed
    else
      reply[#reply + 1] = redis.call('GET', user.u)
    end
  end
  return reply
end

local LEDGER = {a = 'acc', d = 'dup', l = 'late', e = 'era', o = 'over', b = 'bad'}

local function apply(keys, args)
  local call = parse(keys, args)
  local epoch = redis.call('HGET', call.fences, 'epoch') or '0'
  if epoch ~= call.epoch then return {'EPOCH', epoch} end
  local fence = tonumber(redis.call('HGET', call.fences, 't:' .. call.field) or '0')
  if call.from > fence then return {'GAP', decimal(fence)} end
  if call.to <= fence then return states(call, {'STALE', decimal(fence), ''}) end
  call.cut = #call.ops > 0 and prune_below(call) or nil
  local sums = {items = {}, dirty = {}, ledger = {}, lines = 0}
  local verdicts = {}
  for i, op in ipairs(call.ops) do
    local verdict = '-'
    if op.offset >= fence then
      if op.kind == BAD then verdict = 'b'
      elseif op.kind == LATE then verdict = 'l'
      else verdict = decide(call, op, sums) end
      sums.ledger[LEDGER[verdict]] = (sums.ledger[LEDGER[verdict]] or 0) + 1
    end
    verdicts[i] = verdict
  end
  save(keys, call, sums)
  return states(call, {'OK', decimal(call.to), table.concat(verdicts)})
end

---------------------------------------------------------------- derived item state

local function log_add(a, b)
  local high, low = math.max(a, b), math.min(a, b)
  return high + math.log(1 + 2 ^ (low - high)) / math.log(2)
end

-- recs_neighbours_v1: KEYS n of items; ARGV 1 bound, then per key msgpack {neighbour, log2 w, ...}.
-- A value is msgpack {neighbour, log2 w, ...}, the heaviest first.
local function neighbours(keys, args)
  local bound = integer(args[1], 'bound')
  for i, key in ipairs(keys) do
    local weights, order = {}, {}
    local function add(list)
      for j = 1, #list, 2 do
        local name, weight = list[j], list[j + 1]
        if weights[name] then
          weights[name] = log_add(weights[name], weight)
        else
          weights[name] = weight
          order[#order + 1] = name
        end
      end
    end
    local stored = redis.call('GET', key)
    if stored then add(cmsgpack.unpack(stored)) end
    add(cmsgpack.unpack(args[i + 1]))
    table.sort(order, function(a, b)
      if weights[a] ~= weights[b] then return weights[a] > weights[b] end
      return a < b
    end)
    local kept = {}
    for j = 1, math.min(bound, #order) do
      kept[#kept + 1] = order[j]
      kept[#kept + 1] = weights[order[j]]
    end
    redis.call('SET', key, cmsgpack.pack(kept))
  end
  return #keys
end

-- recs_popular_v1: KEYS a sorted set; ARGV 1 bound, 2 msgpack {item, log2 w, ...}.
local function popular(keys, args)
  local bound = integer(args[1], 'bound')
  local list = cmsgpack.unpack(args[2])
  for j = 1, #list, 2 do
    local score = redis.call('ZSCORE', keys[1], list[j])
    local sum = score and log_add(tonumber(score), list[j + 1]) or list[j + 1]
    redis.call('ZADD', keys[1], string.format('%.17g', sum), list[j])
  end
  redis.call('ZREMRANGEBYRANK', keys[1], 0, -bound - 1)
  return redis.call('ZCARD', keys[1])
end

redis.register_function('recs_apply_v1', apply)
redis.register_function('recs_neighbours_v1', neighbours)
redis.register_function('recs_popular_v1', popular)
