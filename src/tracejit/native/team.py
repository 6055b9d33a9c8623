"""Threads that share a call: a function of the parts' numbers, run on several processors.

A call that is worth dividing may take 50 µs, so that to hand out its parts must take less. That is
too short for the interpreter's threads, or for a thread that sleeps: ours look for work a little
longer when they have done some, without the interpreter's lock, and sleep then. The caller does
parts too. There is one team for a process; who finds it busy does all parts alone.

Each thread has a share of the parts, the same at the next call of so many: what the caches of its
processor hold of the arrays is what it needs again. It goes through them in turns forwards and
backwards, for where they hold not all, they hold the latest; and then helps with the other shares.

A scheduler may wake a thread on the processor of who wakes it, to share its caches, and there it
waits until the caller's call is done. So threads that are woken may run where the caller may, save
on the caller's own processor.
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import sys
import time

from tracejit.native import llvm

#: How often a thread looks for work before it sleeps: some 50 µs.
LOOKS = 2000
#: Nanoseconds for which a call may wait for a thread that has a part, or twice what it has worked
#: itself, and for which none need come: if it takes longer, the processors are busy otherwise.
HELD, ABSENT = 1_000_000, 2_000_000
#: For how long calls are not shared then, at first and at most; and after how many that are it is
#: the first time again.
REST, LONGEST_REST, GOOD = 2_000_000, 1_000_000_000, 1024
#: The most shares, threads that are kept off the caller's processor, and processors that are told
#: apart.
SHARES, KEPT_OFF, PROCESSORS = 256, 256, 1024
#: Numbers of the system call ``futex``, and how a processor is told that it waits.
_MACHINES = {
    "x86_64": (202, "@llvm.x86.sse2.pause()"),
    "aarch64": (98, "@llvm.aarch64.hint(i32 1)"),
}

_TEXT = """
declare i32 @pthread_create(ptr, ptr, ptr, ptr)
declare i32 @pthread_detach(i64)
declare i32 @pthread_sigmask(i32, ptr, ptr)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
declare i64 @syscall(i64, ...)
declare i32 @sched_yield()
declare i32 @sched_getcpu()
declare i32 @sched_getaffinity(i32, i64, ptr)
declare i32 @pthread_setaffinity_np(i64, i64, ptr)
declare void {declared}
declare i32 @clock_gettime(i32, ptr)

@until = internal global i64 0       ; before when no call is shared, if not 0
@rest = internal global i64 {rest}    ; for how long the next time
@good = internal global i64 0        ; calls since
@missed = internal global i64 0      ; since when none has come to any, if not 0
@busy = internal global i32 0        ; whether a call is being shared
@news = internal global i32 0        ; changes with every call: the word that sleepers wait on
@sleepers = internal global i32 0
@members = internal global i64 0     ; threads that were started
@threads = internal global [{kept_off} x i64] zeroinitializer
@avoided = internal global i32 -1    ; the processor that none of them may run on
@seats = internal global i64 0       ; how many more threads may take part in the call
@done = internal global i64 0        ; how many have done so
@next = internal global [{shares} x [8 x i64]] zeroinitializer, align 64 ; parts taken, by share
@shares = internal global i64 1
@parts = internal global i64 0
@function = internal global ptr null ; of @context and a part's number
@context = internal global ptr null

; The parts of a share that nobody has taken, then those of the others.
define internal void @work(i64 %share) {{
start:
  %function = load ptr, ptr @function
  %context = load ptr, ptr @context
  %parts = load i64, ptr @parts
  %shares = load i64, ptr @shares
  %news = load i32, ptr @news
  %backwards = trunc i32 %news to i1
  br label %turn
turn:
  %k = phi i64 [0, %start], [%k1, %none]
  %sum = add i64 %share, %k
  %here = urem i64 %sum, %shares
  %after = add i64 %here, 1
  %scaled = mul i64 %here, %parts
  %first = udiv i64 %scaled, %shares
  %scaled_after = mul i64 %after, %parts
  %end = udiv i64 %scaled_after, %shares
  %count = sub i64 %end, %first
  %last = sub i64 %end, 1
  %next = getelementptr [8 x i64], ptr @next, i64 %here
  br label %look
look:
  %taken = atomicrmw add ptr %next, i64 1 seq_cst
  %more = icmp slt i64 %taken, %count
  br i1 %more, label %do, label %none
do:
  %up = add i64 %first, %taken
  %down = sub i64 %last, %taken
  %part = select i1 %backwards, i64 %down, i64 %up
  call void %function(ptr %context, i64 %part)
  br label %look
none:
  %k1 = add i64 %k, 1
  %others = icmp ult i64 %k1, %shares
  br i1 %others, label %turn, label %done
done:
  ret void
}}

define internal ptr @member(ptr %number) {{
start:
  %own = ptrtoint ptr %number to i64
  br label %again
again:
  %seen = phi i32 [0, %start], [%now, %away], [%now, %finish]
  br label %look
look:
  %count = phi i64 [0, %again], [%looks, %wait], [0, %woken], [0, %awake]
  %now = load atomic i32, ptr @news seq_cst, align 4
  %fresh = icmp ne i32 %now, %seen
  br i1 %fresh, label %offer, label %nothing
nothing:
  %looks = add i64 %count, 1
  %enough = icmp ugt i64 %looks, {looks}
  br i1 %enough, label %sleep, label %wait
wait:
  call void {wait}
  br label %look
sleep:
  %before = atomicrmw add ptr @sleepers, i32 1 seq_cst
  %slept = call i64 (i64, ...) @syscall(i64 {futex}, ptr @news, i32 128, i32 %seen, ptr null)
  br label %woken
woken:
  %failed = icmp ne i64 %slept, 0  ; else who has woken it has counted it
  br i1 %failed, label %awake, label %look
awake:
  %after = atomicrmw sub ptr @sleepers, i32 1 seq_cst
  br label %look
offer:
  %free = load atomic i64, ptr @seats seq_cst, align 8
  %any = icmp sgt i64 %free, 0
  br i1 %any, label %take, label %away
away:
  br label %again
take:
  %left = sub i64 %free, 1
  %pair = cmpxchg ptr @seats, i64 %free, i64 %left seq_cst seq_cst
  %taken = extractvalue {{ i64, i1 }} %pair, 1
  br i1 %taken, label %run, label %offer
run:
  %shares = load i64, ptr @shares
  %helpers = sub i64 %shares, 1
  %place = urem i64 %own, %helpers
  %share = add i64 %place, 1
  call void @work(i64 %share)
  %others = atomicrmw add ptr @done, i64 1 seq_cst
  br label %finish
finish:
  br label %again
}}

define internal void @enlist(i64 %wanted) {{
start:
  %thread = alloca i64
  %signals = alloca [16 x i64]
  %before = alloca [16 x i64]
  call void @llvm.memset.p0.i64(ptr %signals, i8 -1, i64 128, i1 false)
  br label %look
look:
  %members = load i64, ptr @members
  %enough = icmp sge i64 %members, %wanted
  br i1 %enough, label %end, label %one
one:
  ; Signals are for the interpreter's own threads: a new one takes none, as its maker for a moment.
  %masked = call i32 @pthread_sigmask(i32 0, ptr %signals, ptr %before)
  %number = inttoptr i64 %members to ptr
  %failed = call i32 @pthread_create(ptr %thread, ptr null, ptr @member, ptr %number)
  %restored = call i32 @pthread_sigmask(i32 2, ptr %before, ptr null)
  %bad = icmp ne i32 %failed, 0
  br i1 %bad, label %end, label %count
count:
  %id = load i64, ptr %thread
  %detached = call i32 @pthread_detach(i64 %id)
  %place = urem i64 %members, {kept_off}
  %slot = getelementptr i64, ptr @threads, i64 %place
  store i64 %id, ptr %slot
  %more = add i64 %members, 1
  store i64 %more, ptr @members
  store i32 -1, ptr @avoided
  br label %look
end:
  ret void
}}

; Keep the team off the caller's processor.
define internal void @make_way() {{
start:
  %allowed = alloca [{words} x i64]
  %cpu = call i32 @sched_getcpu()
  %avoided = load i32, ptr @avoided
  %moved = icmp ne i32 %cpu, %avoided
  %known = icmp ult i32 %cpu, {processors}
  %act = and i1 %moved, %known
  br i1 %act, label %ask, label %end
ask:
  store i32 %cpu, ptr @avoided
  call void @llvm.memset.p0.i64(ptr %allowed, i8 0, i64 {bytes}, i1 false)
  %failed = call i32 @sched_getaffinity(i32 0, i64 {bytes}, ptr %allowed)
  %bad = icmp ne i32 %failed, 0
  br i1 %bad, label %end, label %strike
strike:
  %wide = zext i32 %cpu to i64
  %word = lshr i64 %wide, 6
  %bit = and i64 %wide, 63
  %mask = shl i64 1, %bit
  %keep = xor i64 %mask, -1
  %at = getelementptr i64, ptr %allowed, i64 %word
  %old = load i64, ptr %at
  %new = and i64 %old, %keep
  store i64 %new, ptr %at
  %members = load i64, ptr @members
  %many = icmp ugt i64 %members, {kept_off}
  %count = select i1 %many, i64 {kept_off}, i64 %members
  br label %look
look:
  %k = phi i64 [0, %strike], [%k1, %one]
  %more = icmp ult i64 %k, %count
  br i1 %more, label %one, label %end
one:
  ; Where no processor is left the call fails, and the thread runs where it may.
  %slot = getelementptr i64, ptr @threads, i64 %k
  %thread = load i64, ptr %slot
  %ignored = call i32 @pthread_setaffinity_np(i64 %thread, i64 {bytes}, ptr %allowed)
  %k1 = add i64 %k, 1
  br label %look
end:
  ret void
}}

define internal i64 @now() {{
  %time = alloca [2 x i64]
  %ignored = call i32 @clock_gettime(i32 {clock}, ptr %time)
  %seconds = load i64, ptr %time
  %part_at = getelementptr i64, ptr %time, i64 1
  %part = load i64, ptr %part_at
  %whole = mul i64 %seconds, 1000000000
  %now = add i64 %whole, %part
  ret i64 %now
}}

; Call %function(%context, k) for each k below %parts, on at most so many threads.
define void @team_run(ptr %function, ptr %context, i64 %parts, i64 %threads) {{
start:
  %helpers = sub i64 %threads, 1
  %rest = sub i64 %parts, 1
  %few = icmp slt i64 %rest, %helpers
  %seats = select i1 %few, i64 %rest, i64 %helpers
  %useful = icmp sgt i64 %seats, 0
  br i1 %useful, label %rested, label %alone
rested:
  %until = load atomic i64, ptr @until monotonic, align 8
  %resting = icmp ne i64 %until, 0
  br i1 %resting, label %ask, label %try
ask:
  %time = call i64 @now()
  %early = icmp slt i64 %time, %until
  br i1 %early, label %alone, label %again
again:
  store atomic i64 0, ptr @until monotonic, align 8
  br label %try
try:
  %pair = cmpxchg ptr @busy, i32 0, i32 1 seq_cst seq_cst
  %ours = extractvalue {{ i32, i1 }} %pair, 1
  br i1 %ours, label %share, label %alone
alone:
  %none = icmp slt i64 %parts, 1
  br i1 %none, label %end, label %step
step:
  %k = phi i64 [0, %alone], [%k1, %step]
  call void %function(ptr %context, i64 %k)
  %k1 = add i64 %k, 1
  %most = icmp slt i64 %k1, %parts
  br i1 %most, label %step, label %end
end:
  ret void
share:
  call void @enlist(i64 %seats)
  store ptr %function, ptr @function
  store ptr %context, ptr @context
  store i64 %parts, ptr @parts
  store i64 0, ptr @done
  %wanted = add i64 %seats, 1
  %too_many = icmp ugt i64 %wanted, {shares}
  %shares = select i1 %too_many, i64 {shares}, i64 %wanted
  store i64 %shares, ptr @shares
  br label %clear
clear:
  %s = phi i64 [0, %share], [%s1, %clear]
  %taken = getelementptr [8 x i64], ptr @next, i64 %s
  store i64 0, ptr %taken
  %s1 = add i64 %s, 1
  %unclear = icmp ult i64 %s1, %shares
  br i1 %unclear, label %clear, label %publish
publish:
  store atomic i64 %seats, ptr @seats seq_cst, align 8
  %news = atomicrmw add ptr @news, i32 1 seq_cst
  %asleep = load atomic i32, ptr @sleepers seq_cst, align 4
  %awake = icmp eq i32 %asleep, 0
  %avoided = load i32, ptr @avoided
  %cpu = call i32 @sched_getcpu()
  %old = icmp eq i32 %cpu, %avoided
  %quiet = and i1 %awake, %old
  br i1 %quiet, label %go, label %wake
wake:
  call void @make_way()
  br i1 %awake, label %go, label %rouse
rouse:
  %how_many = trunc i64 %seats to i32
  %woken = call i64 (i64, ...) @syscall(i64 {futex}, ptr @news, i32 129, i32 %how_many)
  %fewer = trunc i64 %woken to i32
  %roused = atomicrmw sub ptr @sleepers, i32 %fewer seq_cst
  br label %go
go:
  %begun = call i64 @now()
  call void @work(i64 0)
  %ended = call i64 @now()
  ; Who has not come by now need not come.
  %left = atomicrmw xchg ptr @seats, i64 0 seq_cst
  %came = sub i64 %seats, %left
  br label %check
check:
  %looked = phi i64 [0, %go], [%looked1, %pause], [%looked1, %yield]
  %done = load atomic i64, ptr @done seq_cst, align 8
  %all = icmp sge i64 %done, %came
  br i1 %all, label %finish, label %hold
hold:
  %looked1 = add i64 %looked, 1
  %long = icmp ugt i64 %looked1, {looks}
  br i1 %long, label %yield, label %pause
pause:
  call void {wait}
  br label %check
yield:
  %ignored = call i32 @sched_yield()
  br label %check
finish:
  %good = load i64, ptr @good
  %good1 = add i64 %good, 1
  store i64 %good1, ptr @good
  %none_came = icmp eq i64 %came, 0
  br i1 %none_came, label %miss, label %judge
miss:
  %since = load i64, ptr @missed
  %missing = call i64 @now()
  %first_one = icmp eq i64 %since, 0
  %since1 = select i1 %first_one, i64 %missing, i64 %since
  store i64 %since1, ptr @missed
  %for = sub i64 %missing, %since1
  %in_vain = icmp ugt i64 %for, {absent}
  br i1 %in_vain, label %slow, label %close
judge:
  store i64 0, ptr @missed
  %kept_waiting = icmp ugt i64 %looked, {looks}
  br i1 %kept_waiting, label %compare, label %close
compare:
  %last = call i64 @now()
  %waited = sub i64 %last, %ended
  %worked = sub i64 %ended, %begun
  %twice_worked = shl i64 %worked, 1
  %small = icmp ult i64 %twice_worked, {held}
  %bearable = select i1 %small, i64 {held}, i64 %twice_worked
  %too_long = icmp ugt i64 %waited, %bearable
  br i1 %too_long, label %slow, label %close
slow:
  %seldom = icmp ugt i64 %good1, {good}
  %before = load i64, ptr @rest
  %more_rest = shl i64 %before, 2
  %far = icmp ugt i64 %more_rest, {longest}
  %longer = select i1 %far, i64 {longest}, i64 %more_rest
  %next = select i1 %seldom, i64 {rest}, i64 %longer
  %end_of_it = call i64 @now()
  %then = add i64 %end_of_it, %next
  store i64 %next, ptr @rest
  store i64 0, ptr @good
  store i64 0, ptr @missed
  store atomic i64 %then, ptr @until monotonic, align 8
  br label %close
close:
  store atomic i32 0, ptr @busy seq_cst, align 4
  ret void
}}

; A child of the process has none of its threads.
define void @team_forget() {{
  store i64 0, ptr @members
  store i32 -1, ptr @avoided
  store i32 0, ptr @sleepers
  store i64 0, ptr @seats
  store i32 0, ptr @busy
  ret void
}}
"""


@functools.cache
def runner() -> int | None:
    """The address of ``void run(function, context, parts, threads)``; None where there is none."""
    if not sys.platform.startswith("linux") or platform.machine() not in _MACHINES:
        return None
    futex, wait = _MACHINES[platform.machine()]
    address = llvm.compiled(
        _TEXT.format(
            looks=LOOKS,
            rest=REST,
            longest=LONGEST_REST,
            good=GOOD,
            held=HELD,
            absent=ABSENT,
            clock=time.CLOCK_MONOTONIC,
            futex=futex,
            wait=wait,
            declared=wait.replace(" 1", ""),
            shares=SHARES,
            kept_off=KEPT_OFF,
            processors=PROCESSORS,
            words=PROCESSORS // 64,
            bytes=PROCESSORS // 8,
        )
    )
    forget = ctypes.CFUNCTYPE(None)(address("team_forget"))
    os.register_at_fork(after_in_child=lambda: forget())
    return address("team_run")
