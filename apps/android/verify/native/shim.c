/* What Android's libc and liblog have and glibc has not, or has otherwise.
 *
 * Built as `liblog.so`, by which name the TensorFlow Lite library asks for it.
 * Functions that begin with a capital letter stand in front of glibc's own:
 * `loadable.py` renames the calls of the library, and of nothing else. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* stdin, stdout and stderr are places in this array, not pointers in it. */
char __sF[3 * 512];

static FILE *stream(void *given) {
  char *place = given;
  return place >= __sF && place < __sF + sizeof __sF ? stderr : given;
}

int Vfprintf(void *file, const char *format, va_list values) {
  return vfprintf(stream(file), format, values);
}

int Fprintf(void *file, const char *format, ...) {
  va_list values;
  va_start(values, format);
  int written = Vfprintf(file, format, values);
  va_end(values);
  return written;
}

int Fputc(int character, void *file) { return fputc(character, stream(file)); }

size_t Fwrite(const void *from, size_t size, size_t count, void *file) {
  return fwrite(from, size, count, stream(file));
}

int Fflush(void *file) { return fflush(file ? stream(file) : NULL); }

/* Android numbers the questions otherwise. */
long Sysconf(int question) {
  switch (question) {
    case 39:
    case 40:
      return sysconf(_SC_PAGESIZE);
    case 96:
      return sysconf(_SC_NPROCESSORS_CONF);
    case 97:
      return sysconf(_SC_NPROCESSORS_ONLN);
  }
  fprintf(stderr, "shim: sysconf(%d) is not known\n", question);
  return -1;
}

/* Android's mutex has 40 bytes, glibc's on arm64 has 48, of which a normal one
 * uses 40: both begin as zeros. */
int Pthread_mutex_init(void *mutex, const pthread_mutexattr_t *attributes) {
  if (attributes) return EINVAL;
  memset(mutex, 0, 40);
  return 0;
}

/* Android's condition begins at any multiple of 4, glibc's at one of 8, which
 * arm64 insists on. So this one is a count of the signals, and whoever waits
 * sleeps until it changes. */
int Pthread_cond_init(int *condition, const pthread_condattr_t *attributes) {
  if (attributes) return EINVAL;
  *condition = 0;
  return 0;
}

int Pthread_cond_destroy(int *condition) {
  (void)condition;
  return 0;
}

int Pthread_cond_wait(int *condition, pthread_mutex_t *mutex) {
  int seen = __atomic_load_n(condition, __ATOMIC_ACQUIRE);
  pthread_mutex_unlock(mutex);
  syscall(SYS_futex, condition, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
  return pthread_mutex_lock(mutex);
}

static int wake(int *condition, int threads) {
  __atomic_add_fetch(condition, 1, __ATOMIC_RELEASE);
  syscall(SYS_futex, condition, FUTEX_WAKE_PRIVATE, threads, NULL, NULL, 0);
  return 0;
}

int Pthread_cond_signal(int *condition) { return wake(condition, 1); }

int Pthread_cond_broadcast(int *condition) { return wake(condition, INT_MAX); }

int *__errno(void) { return __errno_location(); }

size_t __strlen_chk(const char *text, size_t size) {
  (void)size;
  return strlen(text);
}

int __system_property_get(const char *name, char *value) {
  (void)name;
  *value = 0;
  return 0;
}

void android_set_abort_message(const char *message) {
  fprintf(stderr, "abort: %s\n", message);
}

int __android_log_vprint(int level, const char *tag, const char *format,
                         va_list values) {
  (void)level;
  fprintf(stderr, "[%s] ", tag);
  int written = vfprintf(stderr, format, values);
  fputc('\n', stderr);
  return written;
}

int __android_log_print(int level, const char *tag, const char *format, ...) {
  va_list values;
  va_start(values, format);
  int written = __android_log_vprint(level, tag, format, values);
  va_end(values);
  return written;
}
