#!lua name=millstream
-- The functions by which Millstream writes its state. Each call is atomic and names keys of
-- one cluster slot only. A Lua error does not undo what was written before it, so a call checks
-- and decides everything by reading, and only then writes. No clock, no chance, no pcall: what
-- is written depends on the arguments and the stored state alone.
-- Names carry a contract version; a layout only grows, so that two releases may run side by side.

local COUNT, TALLY, SPAN, DECAY, RECENT, LINKS = 1, 2, 3, 4, 5, 6
local TYPES = 11
local ERASE = 10
local BAD, LATE, HOLE = -1, -2, -3
local LETTER, WIDE, VISITOR = 1, 2, 4 -- flags of an op
local MAX_OFFSET = 9007199254740992 -- 2^53: past it a double skips integers
local MAX_SECONDS = 4294967295
local TOUCH = 8 -- bytes; of LINKS a cell
local MAX_VISITOR = 512 -- bytes of an id: three links fit into the 255 cells of a field
local ID = 20 -- bytes: 16 of the digest, u32 log time in seconds, rounded up
local MAX_INLINE = 32
local SPILLED = 128
local ANNOUNCED = '+' -- before a mark whose own event was not read yet; a number to every reader

-- Kept from the first call on, since a library's loading sees neither: to look `string` up in the
-- globals and `sub` in it costs about what sub does.
local sub, byte, char, find, read, write

local function bind()
  sub, byte, char, find = string.sub, string.byte, string.char, string.find
  read, write = struct.unpack, struct.pack
end

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

-- Most of what a call costs is the making of tables and strings. So a table that is made for each op
-- or shopper is made at its full size, and what can serve again does.

-- How many numbers a field has, and their form; RECENT and LINKS have none, each is a count of one
-- byte and so many touches or cells. Zeros are a field that nothing was written to.
local function form_of(kind, args)
  if kind == COUNT then return 1, 'I3' end
  if kind == TALLY then return TYPES, string.rep('I3', TYPES) end
  if kind == SPAN then return 3, 'I4I4I3' end
  return 1 + #args, 'I4' .. string.rep('f', #args)
end

-- A program (features/writes.py) as what packing and running want. `segments`: fixed numbers in
-- one form, or the touches of one RECENT or LINKS; `on[type]`: {write, place, args} of the fields that
-- it writes, where the place of these two is one among the touches, and any other's one among the
-- numbers.
local function compile(program)
  local layout = {segments = {}, on = {}, places = 0, empty = {''}}
  for kind = 1, TYPES do layout.on[kind] = {} end
  local fixed
  for _, feature in ipairs(cmsgpack.unpack(program)) do
    local first = layout.places + 1
    if feature[1] >= RECENT then
      first, fixed = #layout.empty, nil
      layout.segments[#layout.segments + 1] = {touches = first}
      layout.empty[first + 1] = ''
    else
      local n, form = form_of(feature[1], feature[3])
      layout.places = layout.places + n
      if not fixed then
        fixed = {first = first, form = '>'}
        layout.segments[#layout.segments + 1] = fixed
      end
      fixed.last, fixed.form = layout.places, fixed.form .. form
      fixed.size = struct.size(fixed.form)
    end
    for kind = 1, TYPES do
      if feature[2][kind] == 1 then
        local fields = layout.on[kind]
        fields[#fields + 1] = {feature[1], first, feature[3]}
      end
    end
  end
  return layout
end

local layouts = {} -- of programs seen; the same text always gives the same

local function layout_of(program)
  if not layouts[program] then layouts[program] = compile(program) end
  return layouts[program]
end

-- Returns the numbers and the touches. What an older release wrote is shorter, what a newer one wrote
-- is longer: its rest is kept as the last of the touches.
local function unpack_fields(layout, packed)
  local numbers, touches, at = nil, {unpack(layout.empty)}, 1
  for _, segment in ipairs(layout.segments) do
    if segment.touches then
      local to = at + TOUCH * (byte(packed, at) or 0)
      touches[segment.touches], at = sub(packed, at + 1, to), to + 1
    else
      local short = at + segment.size - 1 - #packed
      if short > 0 then packed = packed .. string.rep('\0', short) end
      local got = {read(segment.form, packed, at)}
      at = got[#got]
      if numbers then
        for i = 1, #got - 1 do numbers[segment.first + i - 1] = got[i] end
      else
        numbers = got -- its last value, where the segment ends, is where the next number goes
      end
    end
  end
  touches[#touches] = sub(packed, at)
  return numbers or {}, touches
end

-- What is empty at the very end is left out: few shoppers have a link.
local function pack_fields(layout, numbers, touches)
  local parts, rest = {unpack(layout.empty)}, touches[#touches]
  local last = #layout.segments
  for i, segment in ipairs(layout.segments) do
    if not segment.touches then
      parts[i] = write(segment.form, unpack(numbers, segment.first, segment.last))
    else
      local row = touches[segment.touches]
      parts[i] = (i < last or #row + #rest > 0) and char(#row / TOUCH) .. row or ''
    end
  end
  return table.concat(parts) .. rest
end

local function decay(numbers, at, seconds, lives)
  local age = math.max(0, seconds - numbers[at]) * 1000
  for i, life in ipairs(lives) do
    numbers[at + i] = numbers[at + i] * 2 ^ (-age / life) + 1
  end
  numbers[at] = math.max(numbers[at], seconds)
end

-- Where the item of `entry` stands among `touches`, or nil. An entry begins with the item's index
-- in 28 bits, and the type in 4.
local function place_of(touches, entry)
  local head, low = sub(entry, 1, 3), math.floor(byte(entry, 4) / 16)
  local at = find(touches, head, 1, true)
  while at do
    if at % TOUCH == 1 and math.floor(byte(touches, at + 3) / 16) == low then return at end
    at = find(touches, head, at + 1, true)
  end
end

-- The newest first, each item once, `bound` at most.
local function touch(touches, op, bound)
  local front = ''
  for i = 1, op.n do
    local entry = write('>I4I4', op.indices[i] * 16 + op.kind, op.seconds)
    if front == '' or not place_of(front, entry) then
      local at = touches ~= '' and place_of(touches, entry)
      if at then touches = sub(touches, 1, at - 1) .. sub(touches, at + TOUCH) end
      front = front .. entry
    end
  end
  return sub(front .. touches, 1, bound * TOUCH)
end

-- The newest first, each anonymous id once, `bound` at most. A link's time never falls: until then
-- what was done under the id was the shopper's.
local function link(links, op, bound)
  local seconds, kept, n, at = op.seconds, '', 1, 1
  while at <= #links do
    local until_then, id = read('>I4I2c0', links, at)
    local to = at + TOUCH * math.ceil((6 + #id) / TOUCH)
    if id == op.visitor then
      seconds = math.max(seconds, until_then)
    elseif n < bound then
      kept, n = kept .. sub(links, at, to - 1), n + 1
    end
    at = to
  end
  local front = write('>I4I2c0', seconds, #op.visitor, op.visitor)
  return front .. string.rep('\0', -#front % TOUCH) .. kept
end

local function run_program(layout, user, op)
  local numbers = user.numbers
  for _, feature in ipairs(layout.on[op.kind + 1]) do
    local kind, at = feature[1], feature[2]
    if kind == COUNT then
      numbers[at] = numbers[at] + 1
    elseif kind == TALLY then
      numbers[at + op.kind] = numbers[at + op.kind] + 1
    elseif kind == SPAN then
      local t, n = op.seconds, numbers[at + 2]
      numbers[at] = n == 0 and t or math.min(numbers[at], t)
      numbers[at + 1] = math.max(numbers[at + 1], t)
      numbers[at + 2] = n + 1
    elseif kind == DECAY then
      decay(numbers, at, op.seconds, feature[3])
    elseif kind == RECENT then
      user.touches[at] = touch(user.touches[at], op, feature[3][1])
    elseif op.visitor then
      user.touches[at] = link(user.touches[at], op, feature[3][1])
    end
  end
end

---------------------------------------------------------------- recs_apply_v2

-- KEYS: f, c, x, q, o, l, z of the slot; one i per tenant; then u, d per shopper. Nobody writes z:
-- with a key missing a cluster refuses the call whole while the slot moves to another node, where it
-- would else take a key that the function removed for one that went ahead, and break off.
-- ARGV: 1 "<epoch>:<topic>:<partition>", 2 epoch, 3 from, 4 to, 5 clock (ms), 6 witness,
--       7 limits: msgpack {window_ms, cap, partitions}, 8 program: msgpack (features/writes.py),
--       9 tenants: msgpack {tenant, ...},
--       10 how many bytes of a u key stand before "<tenant>:<shopper>",
--       11 ops, one after the other, big-endian (stores/ops.py):
--          i1 kind, I8 offset; of a BAD or LATE record I8 whose it is: the tenant's place from 1, and
--          nobody's where there is none (0, or the log time that older releases write here); of a
--          HOLE I8 0, I8 how many offsets the log does not have; of an event: I8 log ms, I2 shopper,
--          I1 tenant (both from 0), I8 event ms, 16 bytes digest, I1 flags, I1 n, then n times I4
--          index and I2 bytes of item id; with LETTER in flags: I8 the first log time, I2 bytes of
--          "<topic>:<partition>:<offset>" of the first copy; with WIDE: I1 how many times 256 the
--          tenant's place has beside the above; with VISITOR: I2 bytes of the anonymous id that the
--          event bears beside the shopper's.
-- recs_apply_v1 is what older releases call, which know no VISITOR.
-- Reply: {"OK", next, verdicts, state, ...}: a letter per op: a accepted, d duplicate, l late,
--        e erased, o over-full, b bad, h hole, - applied before; then each shopper's packed
--        fields, empty for one who was erased or never seen.
--        {"STALE", F, "", state, ...}, {"GAP", F} or {"EPOCH", epoch}: nothing was written.

local FIXED_KEYS = 7

local function read_flagged(op, flags, text, at)
  if flags % WIDE == LETTER then op.judged_ms, op.letter, at = read('>I8I2c0', text, at) end
  if flags % VISITOR >= WIDE then
    op.tenant, at = op.tenant + 256 * byte(text, at), at + 1
  end
  if flags >= VISITOR then
    op.visitor, at = read('>I2c0', text, at)
    if #op.visitor > MAX_VISITOR then error({err = 'BADARG an anonymous id is too long'}) end
  end
  return at
end

local function read_event(op, text, at)
  local user, tenant, flags
  user, tenant, op.event_ms, op.digest, flags, op.n, at = read('>I2I1I8c16I1I1', text, at)
  op.user, op.tenant = user + 1, tenant + 1
  op.seconds = math.min(math.floor(op.event_ms / 1000), MAX_SECONDS)
  op.judged_ms, op.letter, op.visitor = op.log_ms, false, false
  for i = 1, op.n do
    op.indices[i], op.items[i], at = read('>I4I2c0', text, at)
  end
  if flags > 0 then return read_flagged(op, flags, text, at) end
  return at
end

-- Into `op`, which serves for all ops of a call one after the other; returns where the next begins.
-- Offsets rise, and lie in the range; who and what an op names is among the keys.
local function read_op(call, op, text, at)
  local last = op.offset
  op.kind, op.offset, op.log_ms, at = read('>i1I8I8', text, at)
  op.tenant = op.log_ms -- of a record that is no event
  if op.offset <= last or op.offset >= call.to or op.kind >= TYPES or op.kind < HOLE then
    error({err = 'BADARG an op is out of its bounds'})
  end
  op.holes = 1
  if op.kind >= 0 then
    at = read_event(op, text, at)
    if not call.users[op.user] or not call.tenants[op.tenant] then
      error({err = 'BADARG an op names who is not among the keys'})
    end
  elseif op.kind == HOLE then
    op.holes, at = read('>I8', text, at)
  end
  return at
end

local function parse(keys, args)
  if not sub then bind() end
  local call = {
    fences = keys[1], clocks = keys[2], erased = keys[3], dirty = keys[4],
    owed = keys[5], replayed = keys[6], keys = keys, users = {},
    field = args[1], epoch = args[2],
    from = integer(args[3], 'from'), to = integer(args[4], 'to'),
    clock = integer(args[5], 'clock'), witness = args[6],
    limits = cmsgpack.unpack(args[7]), layout = layout_of(args[8]),
    tenants = cmsgpack.unpack(args[9]),
  }
  if call.from > call.to then error({err = 'BADARG from is past to'}) end
  local first = FIXED_KEYS + #call.tenants + 1
  if #keys < first - 1 or (#keys - first + 1) % 2 ~= 0 then
    error({err = 'BADARG the keys do not fit the tenants and shoppers'})
  end
  call.before = integer(args[10], 'bytes before a name')
  for at = first, #keys, 2 do
    call.users[#call.users + 1] = {
      u = keys[at], d = keys[at + 1],
      ids = '', packed = '', spilled = false, older = 0, mark = false, announced = false,
      numbers = false, touches = false, wiped = false, touched = false, counted = false,
    }
  end
  return call
end

-- "<tenant>:<shopper>", as the erased are listed.
local function name_of(call, user)
  return sub(user.u, call.before + 1)
end

local function column(rows, name)
  local out = {}
  for i, row in ipairs(rows) do out[i] = row[name] end
  return out
end

---------------------------------------------------------------- a shopper's value and ids

-- Redis' Lua takes some thousand values on its stack.
local function in_parts(command, key, members)
  for first = 1, #members, 1000 do
    redis.call(command, key, unpack(members, first, math.min(first + 999, #members)))
  end
end

-- `pairs`: {key, value, ...}
local function set_all(pairs)
  for first = 1, #pairs, 1000 do
    redis.call('MSET', unpack(pairs, first, math.min(first + 999, #pairs)))
  end
end

-- The value of a `u` key: one byte, n of the ids in it, plus SPILLED where the ZSET `d` holds
-- older ones; n ids; then the fields. Few shoppers have more than MAX_INLINE ids in the window,
-- and a key more for each of the others would cost as much memory as all that is counted of them.

-- Of all shoppers of the call, in one command each.
local function load_users(call)
  if #call.users == 0 then return end
  for i, value in ipairs(redis.call('MGET', unpack(column(call.users, 'u')))) do
    if value then
      local user, head = call.users[i], byte(value, 1)
      local first = 2 + ID * (head % SPILLED)
      user.ids, user.packed = sub(value, 2, first - 1), sub(value, first)
      user.spilled = head >= SPILLED
    end
  end
  if redis.call('HLEN', call.erased) == 0 then return end
  local names = {}
  for i, user in ipairs(call.users) do names[i] = name_of(call, user) end
  for i, mark in ipairs(redis.call('HMGET', call.erased, unpack(names))) do
    if mark then
      call.users[i].mark = tonumber(mark)
      call.users[i].announced = sub(mark, 1, 1) == ANNOUNCED
    end
  end
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

-- They stand in the order of their coming: the first that stays ends the search.
local function without_old(ids, cut)
  local at = 1
  while at < #ids and read('>I4', ids, at + 16) * 1000 < cut do at = at + ID end
  return sub(ids, at)
end

local function open_user(call, user)
  user.numbers, user.touches = unpack_fields(call.layout, user.packed)
  if call.cut then user.ids = without_old(user.ids, call.cut) end
  if user.spilled then
    local oldest = call.cut and decimal(call.cut) or '-inf'
    user.older = redis.call('ZCOUNT', user.d, oldest, '+inf')
  end
end

local function holds(ids, digest)
  local at = find(ids, digest, 1, true)
  while at do
    if at % ID == 1 then return true end
    at = find(ids, digest, at + 1, true)
  end
  return false
end

local function seen_before(call, user, op)
  if op.letter then
    if call.letters[op.letter] then return true end
    if redis.call('SISMEMBER', call.replayed, op.letter) == 1 then return true end
  end
  if holds(user.ids, op.digest) then return true end
  if user.wiped or user.older == 0 then return false end
  return redis.call('ZSCORE', user.d, op.digest) ~= false
end

local function take_id(user, op)
  local seconds = math.min(math.ceil(op.log_ms / 1000), MAX_SECONDS)
  user.ids = user.ids .. op.digest .. write('>I4', seconds)
end

-- What is too many leaves the value for the ZSET, the older half of it: {log ms, digest, ...}.
local function leaving(user)
  local row, n = {}, #user.ids / ID
  if n <= MAX_INLINE then return row end
  local last = (n - math.floor(MAX_INLINE / 2)) * ID
  for at = 1, last, ID do
    row[#row + 1] = decimal(read('>I4', user.ids, at + 16) * 1000)
    row[#row + 1] = sub(user.ids, at, at + 15)
  end
  user.ids = sub(user.ids, last + 1)
  user.older = user.older + #row / 2
  return row
end

-- Of an erased shopper all that the ZSET held before.
local function forget_all(user, kept)
  if #kept == 0 then
    redis.call('DEL', user.d)
    return
  end
  local stays, gone = {}, {}
  for i = 2, #kept, 2 do stays[kept[i]] = true end
  for _, digest in ipairs(redis.call('ZRANGE', user.d, 0, -1)) do
    if not stays[digest] then gone[#gone + 1] = digest end
  end
  in_parts('ZREM', user.d, gone)
end

local function save_ids(call, user)
  local row = leaving(user)
  in_parts('ZADD', user.d, row)
  if user.wiped then
    forget_all(user, row)
  elseif user.spilled and call.cut then
    redis.call('ZREMRANGEBYSCORE', user.d, '-inf', '(' .. decimal(call.cut))
  end
end

local function value_of(user)
  local head = #user.ids / ID + (user.older > 0 and SPILLED or 0)
  return char(head) .. user.ids .. user.packed
end

---------------------------------------------------------------- verdicts

local function count_items(call, op, sums)
  local counts = sums.items[op.tenant]
  if not counts then
    counts = {}
    sums.items[op.tenant] = counts
  end
  local tenant = call.tenants[op.tenant]
  for i = 1, op.n do
    local item = op.items[i]
    local field = op.kind .. '|' .. item
    local n = counts[field]
    if not n then sums.dirty[#sums.dirty + 1] = op.kind .. '|' .. tenant .. ':' .. item end
    counts[field] = (n or 0) + 1
  end
  sums.lines = sums.lines + op.n
end

-- The mark may be known before its own event is read (recs_erase_v1): that one still counts, once.
local function is_erased(user, op)
  if not user.mark then return false end
  if user.announced and op.kind == ERASE and op.judged_ms == user.mark then return false end
  return op.judged_ms <= user.mark or op.event_ms <= user.mark
end

-- Verdict of one op; changes only the Lua tables in `user`, `call.letters` and `sums`.
local function decide(call, op, sums)
  local user = call.users[op.user]
  if not user.numbers then open_user(call, user) end
  if is_erased(user, op) then return 'e' end
  if seen_before(call, user, op) then return 'd' end
  if op.kind == ERASE then
    user.mark, user.announced, user.wiped, user.touched = op.log_ms, false, true, true
    user.numbers, user.touches = unpack_fields(call.layout, '')
    user.counted, user.older = false, 0
    user.ids = ''
  elseif user.older + #user.ids / ID >= call.limits[2] then
    sums.owed[#sums.owed + 1] = call.place .. decimal(op.offset)
    return 'o'
  else
    user.touched, user.counted = true, true
    run_program(call.layout, user, op)
    count_items(call, op, sums)
  end
  -- The mark covers a retry of an erase, unless the shop's clock is ahead of the log's.
  if op.kind ~= ERASE or op.event_ms > op.log_ms then take_id(user, op) end
  if op.letter then call.letters[op.letter] = true end
  return 'a'
end

local function save_users(call)
  local values = {}
  for _, user in ipairs(call.users) do
    if user.wiped then
      redis.call('HSET', call.erased, name_of(call, user), decimal(user.mark))
      user.packed = ''
    end
    if user.touched then
      save_ids(call, user)
      if user.counted then
        user.packed = pack_fields(call.layout, user.numbers, user.touches)
      end
      if #user.ids + #user.packed > 0 then
        values[#values + 1] = user.u
        values[#values + 1] = value_of(user)
      else
        redis.call('DEL', user.u)
      end
    end
  end
  set_all(values)
end

-- Two commands for all, where HINCRBY would be one for each.
local function add_to_counts(key, counts)
  local names = {}
  for name in pairs(counts) do names[#names + 1] = name end
  for first = 1, #names, 1000 do
    local last = math.min(first + 999, #names)
    local held = redis.call('HMGET', key, unpack(names, first, last))
    local row = {}
    for i = first, last do
      local name = names[i]
      row[#row + 1] = name
      row[#row + 1] = decimal((held[i - first + 1] or 0) + counts[name])
    end
    redis.call('HSET', key, unpack(row))
  end
end

local LEDGER = {a = 'acc', d = 'dup', l = 'late', e = 'era', o = 'over', b = 'bad', h = 'hol'}

local function note(call, op, verdict, sums)
  local fates, tenant = sums.fates[verdict], call.tenants[op.tenant] or false
  if not fates then
    fates = {}
    sums.fates[verdict] = fates
  end
  fates[tenant] = (fates[tenant] or 0) + op.holes
end

-- Into the partition's ledger, and into that of each tenant.
local function save_fates(call, fates)
  for verdict, by_tenant in pairs(fates) do
    local name, sum = LEDGER[verdict], 0
    for tenant, n in pairs(by_tenant) do
      sum = sum + n
      if tenant then redis.call('HINCRBY', call.fences, name .. '/' .. tenant, decimal(n)) end
    end
    redis.call('HINCRBY', call.fences, name .. ':' .. call.field, decimal(sum))
  end
end

local function save(call, sums)
  save_users(call)
  for tenant, counts in pairs(sums.items) do
    local key = call.keys[FIXED_KEYS + tenant]
    add_to_counts(key, counts)
  end
  in_parts('SADD', call.dirty, sums.dirty)
  in_parts('SADD', call.owed, sums.owed)
  for letter in pairs(call.letters) do redis.call('SADD', call.replayed, letter) end
  redis.call('HSET', call.fences, 't:' .. call.field, decimal(call.to),
    'w:' .. call.field, call.witness)
  save_fates(call, sums.fates)
  if sums.lines > 0 then redis.call('HINCRBY', call.fences, 'itm:' .. call.field, sums.lines) end
  local clock = redis.call('HGET', call.clocks, call.field)
  if not clock or tonumber(clock) < call.clock then
    redis.call('HSET', call.clocks, call.field, decimal(call.clock))
  end
end

local function with_states(call, reply)
  for i, user in ipairs(call.users) do reply[3 + i] = user.packed end
  return reply
end

local OF_RECORD = {[BAD] = 'b', [LATE] = 'l', [HOLE] = 'h'}

local function apply(keys, args)
  local call = parse(keys, args)
  local epoch = redis.call('HGET', call.fences, 'epoch') or '0'
  if epoch ~= call.epoch then return {'EPOCH', epoch} end
  local fence = tonumber(redis.call('HGET', call.fences, 't:' .. call.field) or '0')
  if call.from > fence then return {'GAP', decimal(fence)} end
  load_users(call)
  if call.to <= fence then return with_states(call, {'STALE', decimal(fence), ''}) end
  call.cut = #call.users > 0 and prune_below(call) or nil
  call.letters = {} -- taken in this call
  call.place = string.match(call.field, '^%d+:(.*)$') .. ':'
  local sums = {items = {}, dirty = {}, owed = {}, fates = {}, lines = 0}
  local verdicts, op, ops, at = {}, {offset = call.from - 1, items = {}, indices = {}}, args[11], 1
  while at <= #ops do
    at = read_op(call, op, ops, at)
    local verdict = '-'
    if op.offset >= fence then
      verdict = OF_RECORD[op.kind] or decide(call, op, sums)
      note(call, op, verdict, sums)
    end
    verdicts[#verdicts + 1] = verdict
  end
  save(call, sums)
  return with_states(call, {'OK', decimal(call.to), table.concat(verdicts)})
end

---------------------------------------------------------------- recs_erase_v1, recs_epoch_v1

-- recs_erase_v1: KEYS x, u, d, r; ARGV 1 "<tenant>:<shopper>", 2 log time of the erasure (ms).
-- For a rebuild, which must know erasures before it reads the log. Returns the mark in force.
local function erase(keys, args)
  local mark = integer(args[2], 'mark')
  local known = redis.call('HGET', keys[1], args[1])
  if known and tonumber(known) >= mark then return decimal(tonumber(known)) end
  redis.call('HSET', keys[1], args[1], ANNOUNCED .. decimal(mark))
  redis.call('DEL', keys[2], keys[3], keys[4])
  return decimal(mark)
end

-- recs_epoch_v1: KEYS f, c; ARGV 1 the epoch in force, 2 the next one. The clocks go, since a
-- partition that never comes again would hold back the forgetting of ids for ever.
-- Returns the epoch in force after it; where neither of the two is, nothing was changed.
local function bump(keys, args)
  local found = redis.call('HGET', keys[1], 'epoch') or '0'
  if found ~= args[1] then return found end
  redis.call('HSET', keys[1], 'epoch', args[2])
  redis.call('DEL', keys[2])
  return args[2]
end

---------------------------------------------------------------- recs_put_v1

local HEAD = '>I8I4I8' -- log ms, partition, offset: of two lists the greater is the newer

local function is_newer(list, than)
  local a, b, c = struct.unpack(HEAD, list)
  local x, y, z = struct.unpack(HEAD, than)
  if a ~= x then return a > x end
  if b ~= y then return b > y end
  return c > z
end

-- KEYS x, then r per shopper; ARGV 1 how many bytes of an r key stand before "<tenant>:<shopper>",
-- then per shopper the list as it is stored (stores/served_lists.py): HEAD and what follows it.
-- One that is no newer than what stands, or not after an erasure, changes nothing.
-- Returns how many were stored.
local function put(keys, args)
  local before = integer(args[1], 'bytes before a name')
  local names, lists, new = {}, {}, {}
  for i = 2, #keys do names[i - 1], lists[i - 1] = string.sub(keys[i], before + 1), keys[i] end
  local held = redis.call('MGET', unpack(lists))
  local marks = redis.call('HMGET', keys[1], unpack(names))
  for i, list in ipairs(lists) do
    local given = args[i + 1]
    if (not marks[i] or struct.unpack('>I8', given) > tonumber(marks[i]))
      and (not held[i] or is_newer(given, held[i])) then
      new[#new + 1] = list
      new[#new + 1] = given
    end
  end
  set_all(new)
  return #new / 2
end

---------------------------------------------------------------- recs_items_v1

-- A number for each item id, so that states and lists need not hold text. KEYS 1 HASH number ->
-- id; ARGV per item its preferred number (28 bits of its hash) and its id. Taken by another item:
-- the next one. So a store that lost its tail gives the same numbers again, but for the few whose
-- neighbours went too. Returns the numbers.
local function number_items(keys, args)
  local numbers = {}
  for i = 1, #args, 2 do
    local number = integer(args[i], 'number') % 268435456
    while true do
      local held = redis.call('HGET', keys[1], decimal(number))
      if not held then redis.call('HSET', keys[1], decimal(number), args[i + 1]) end
      if not held or held == args[i + 1] then break end
      number = (number + 1) % 268435456
    end
    numbers[#numbers + 1] = number
  end
  return numbers
end

---------------------------------------------------------------- derived item state

local function log_add(a, b)
  local high, low = math.max(a, b), math.min(a, b)
  return high + math.log(1 + 2 ^ (low - high)) / math.log(2)
end

local ROW = 12 -- bytes: I4 number of a neighbour, d log2 of its weight

local forms = {} -- by how many rows; their numbers stay the bytes that they are

local function form_of_rows(n)
  if not forms[n] then forms[n] = '>' .. string.rep('c4d', n) end
  return forms[n]
end

-- {number, weight, number, weight, ..., where the text ends}
local function unpack_rows(text)
  return {read(form_of_rows(#text / ROW), text)}
end

-- Of the rows in `given` those that `held` has, with what both weigh, and those that it has not,
-- the heaviest first; the rest of `held` as it stands.
local function apart(held, given)
  local added, rest, moved = {}, {}, {}
  for i = 1, #given - 1, 2 do added[given[i]] = given[i + 1] end
  for i = 1, #held - 1, 2 do
    local number, weight = held[i], held[i + 1]
    if added[number] then
      added[number] = log_add(weight, added[number])
    else
      rest[#rest + 1], rest[#rest + 2] = number, weight
    end
  end
  for i = 1, #given - 1, 2 do
    local number, weight, at = given[i], added[given[i]], #moved + 1
    while at > 1 and moved[at - 1] < weight do
      moved[at], moved[at + 1], at = moved[at - 2], moved[at - 1], at - 2
    end
    moved[at], moved[at + 1] = number, weight
  end
  return rest, moved
end

-- The heaviest of both, each of which has its heaviest first.
local function merge_rows(a, b, bound)
  local out, i, j = {}, 1, 1
  for at = 1, math.min(2 * bound, #a + #b), 2 do
    if i < #a and (j > #b or a[i + 1] >= b[j + 1]) then
      out[at], out[at + 1], i = a[i], a[i + 1], i + 2
    else
      out[at], out[at + 1], j = b[j], b[j + 1], j + 2
    end
  end
  return out
end

-- recs_neighbours_v1: KEYS n of items; ARGV 1 bound, then per key the rows to add, a number once
-- and a thousand at most. A value is rows, the heaviest first.
local function neighbours(keys, args)
  if not sub then bind() end
  local bound = integer(args[1], 'bound')
  for i, key in ipairs(keys) do
    local held, given = unpack_rows(redis.call('GET', key) or ''), unpack_rows(args[i + 1])
    local rest, moved = apart(held, given)
    local kept = merge_rows(rest, moved, bound)
    redis.call('SET', key, write(form_of_rows(#kept / 2), unpack(kept)))
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

---------------------------------------------------------------- recs_take_v1

-- KEYS q, t; ARGV 1 how many at most. Moves so many from q to t; returns all of t, with what somebody
-- took who did not come to the end of it.
local function take(keys, args)
  in_parts('SADD', keys[2], redis.call('SPOP', keys[1], integer(args[1], 'at most')))
  return redis.call('SMEMBERS', keys[2])
end

redis.register_function('recs_apply_v1', apply)
redis.register_function('recs_apply_v2', apply)
redis.register_function('recs_erase_v1', erase)
redis.register_function('recs_epoch_v1', bump)
redis.register_function('recs_put_v1', put)
redis.register_function('recs_items_v1', number_items)
redis.register_function('recs_neighbours_v1', neighbours)
redis.register_function('recs_popular_v1', popular)
redis.register_function('recs_take_v1', take)
