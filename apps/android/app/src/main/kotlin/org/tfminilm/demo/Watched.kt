package org.tfminilm.demo

/** Something that changes, for those who show it. The main thread's alone. */
abstract class Watched {
    private val watchers = ArrayList<() -> Unit>()

    fun watch(watcher: () -> Unit) {
        watchers += watcher
    }

    fun unwatch(watcher: () -> Unit) {
        watchers -= watcher
    }

    protected fun changed() = watchers.toList().forEach { it() }
}
