// C11 threads by way of POSIX threads, which is what they are in glibc. The thread sanitizer knows only the latter, and
// librdkafka uses the former: without this its threads have no sanitizer state, and the first of them crashes.
#include <pthread.h>
#include <threads.h>

#include <cerrno>

static_assert(sizeof(mtx_t) >= sizeof(pthread_mutex_t) && sizeof(cnd_t) >= sizeof(pthread_cond_t));

namespace {
int result(int e) {
  switch (e) {
    case 0:
      return thrd_success;
    case EBUSY:
      return thrd_busy;
    case ETIMEDOUT:
      return thrd_timedout;
    case ENOMEM:
      return thrd_nomem;
    default:
      return thrd_error;
  }
}
auto* posix(mtx_t* m) { return reinterpret_cast<pthread_mutex_t*>(m); }
auto* posix(cnd_t* c) { return reinterpret_cast<pthread_cond_t*>(c); }

struct start {
  thrd_start_t run = nullptr;
  void* argument = nullptr;
};
void* begin(void* p) {
  auto const what = *static_cast<start*>(p);
  delete static_cast<start*>(p);
  return reinterpret_cast<void*>(static_cast<long>(what.run(what.argument)));
}
}  // namespace

extern "C" {
int thrd_create(thrd_t* t, thrd_start_t run, void* argument) {
  return result(pthread_create(t, nullptr, begin, new start{run, argument}));
}
int thrd_join(thrd_t t, int* status) {
  void* p = nullptr;
  auto const e = pthread_join(t, &p);
  if (status) *status = static_cast<int>(reinterpret_cast<long>(p));
  return result(e);
}
int thrd_detach(thrd_t t) { return result(pthread_detach(t)); }
void thrd_exit(int status) { pthread_exit(reinterpret_cast<void*>(static_cast<long>(status))); }

int mtx_init(mtx_t* m, int type) {
  pthread_mutexattr_t a;
  pthread_mutexattr_init(&a);
  pthread_mutexattr_settype(&a, type & mtx_recursive ? PTHREAD_MUTEX_RECURSIVE : PTHREAD_MUTEX_NORMAL);
  auto const e = pthread_mutex_init(posix(m), &a);
  pthread_mutexattr_destroy(&a);
  return result(e);
}
int mtx_lock(mtx_t* m) { return result(pthread_mutex_lock(posix(m))); }
int mtx_trylock(mtx_t* m) { return result(pthread_mutex_trylock(posix(m))); }
int mtx_unlock(mtx_t* m) { return result(pthread_mutex_unlock(posix(m))); }
void mtx_destroy(mtx_t* m) { pthread_mutex_destroy(posix(m)); }

int cnd_init(cnd_t* c) { return result(pthread_cond_init(posix(c), nullptr)); }
int cnd_signal(cnd_t* c) { return result(pthread_cond_signal(posix(c))); }
int cnd_broadcast(cnd_t* c) { return result(pthread_cond_broadcast(posix(c))); }
int cnd_wait(cnd_t* c, mtx_t* m) { return result(pthread_cond_wait(posix(c), posix(m))); }
int cnd_timedwait(cnd_t* c, mtx_t* m, timespec const* by) {
  return result(pthread_cond_timedwait(posix(c), posix(m), by));
}
void cnd_destroy(cnd_t* c) { pthread_cond_destroy(posix(c)); }
}

/// What libraries that were not compiled for the sanitizer do with memory is theirs: it does not see their atomics. Kafka clients
/// that were closed end on threads of their own, which a program does not wait for.
extern "C" char const* __tsan_default_options() { return "ignore_noninstrumented_modules=1:report_thread_leaks=0"; }
