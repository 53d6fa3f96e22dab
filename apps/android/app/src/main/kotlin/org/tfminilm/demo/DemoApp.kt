package org.tfminilm.demo

import android.app.Application

/** Keeps models, texts and what is under way while activities come and go. */
class DemoApp : Application() {
    private val disk = Worker("disk")
    private val store by lazy { BundleStore(filesDir) }
    val settings by lazy { Settings(this) }
    val models by lazy { ModelRepository(this, settings) }
    val catalog by lazy { Catalog(this, store, disk) }
    val imports by lazy { Imports(this, store, catalog) }
    val benchmarks by lazy { Benchmarks(this) }
    val drafts by lazy { Drafts(TextFile(filesDir, "drafts.json"), disk) }
    val notes by lazy { Notes(TextFile(filesDir, "notes.json"), disk) }
    val texts by lazy { TextFiles(this, drafts) }
    val history by lazy { History(TextFile(filesDir, "history.json"), disk, settings) }

    /** Whether all is read; until then there is nothing to show. */
    val isReady: Boolean get() = catalog.models != null

    override fun onCreate() {
        super.onCreate()
        // Each is made here, on the main thread, and then read on another one.
        val parts = listOf(drafts::load, notes::load, history::load)
        disk.execute {
            store.recover()
            parts.forEach { it() }
        }
        catalog.refresh()
    }

    /** Waits until what was to be read and written so far is. */
    fun awaitDisk() = disk.await()

    override fun onTrimMemory(level: Int) {
        super.onTrimMemory(level)
        if (level >= TRIM_MEMORY_BACKGROUND) models.trim()
    }
}
