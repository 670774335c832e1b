// The operator new of a program: counted, and failing when told to. For one unit of it only; inlined, g++ would take it for mismatched.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {
std::atomic<std::size_t> allocations{0};
std::atomic<long> until_failure{-1};  // allocations; below 0: none fails
}  // namespace

[[gnu::noinline]] void* operator new(std::size_t n) {
  ++allocations;
  if (until_failure >= 0 && until_failure-- == 0) throw std::bad_alloc{};
  if (void* p = std::malloc(n ? n : 1)) return p;
  throw std::bad_alloc{};
}
// Sanitizers' own would not go together with the delete below.
[[gnu::noinline]] void* operator new(std::size_t n, std::nothrow_t const&) noexcept try {
  return operator new(n);
} catch (std::bad_alloc const&) { return nullptr; }
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }
