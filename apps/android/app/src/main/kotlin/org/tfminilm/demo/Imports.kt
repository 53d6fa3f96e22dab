package org.tfminilm.demo

import android.content.Context
import android.net.Uri
import java.io.Closeable
import java.io.File
import java.io.IOException
import java.util.concurrent.CancellationException
import org.tfminilm.BundleException
import org.tfminilm.FolderFiles
import org.tfminilm.tryOut

/**
 * Adds a model from a file, one at a time, on a thread of its own.
 *
 * It belongs to the app, so that an activity may come and go meanwhile. A file
 * whose provider never answers holds up nothing but its own thread.
 */
class Imports(
    private val context: Context,
    private val store: BundleStore,
    private val catalog: Catalog,
) : Watched() {
    var state: ImportState = ImportState.Idle
        private set
    private var job: Job? = null

    fun start(uri: Uri) {
        cancel()
        val next = Job(uri)
        job = next
        show(ImportState.Running(null, null))
        next.thread.start()
    }

    /** Stops what is under way, or takes away what it said. */
    fun cancel() {
        job?.cancel()
        job = null
        show(ImportState.Idle)
    }

    /** The answer to [ImportState.Asking]. */
    fun answer(replaces: Boolean) {
        val waiting = job ?: return
        val name = (state as? ImportState.Asking)?.name ?: return
        val target = if (replaces) name else store.free(name) { it in store || it in catalog.packed }
        waiting.finish(target)
    }

    /** Waits until the thread that adds a model is done. */
    fun await() = job?.thread?.join() ?: Unit

    private fun show(next: ImportState) {
        state = next
        changed()
    }

    private inner class Job(private val uri: Uri) {
        @Volatile
        private var isCancelled = false

        @Volatile
        private var stream: Closeable? = null
        private var filled: File? = null
        private var shown = -1
        var thread = Thread(::add, "import").apply { isDaemon = true }
            private set

        fun cancel() {
            isCancelled = true
            thread.interrupt()
            val open = stream
            val folder = filled
            // Closing a stuck stream may hang as well.
            Thread {
                try {
                    open?.close()
                } catch (_: IOException) {
                    // It is of no use any more.
                }
                folder?.deleteRecursively()
            }.apply { isDaemon = true }.start()
        }

        fun finish(name: String) {
            val folder = filled ?: return
            filled = null
            thread = Thread { attempt { install(folder, name) } }
            thread.start()
        }

        private fun add() = attempt {
            val picked = PickedFile(context.contentResolver, uri)
            val name = picked.folderName
            tell(ImportState.Running(name, picked.bytes?.let { 0.0 }))
            val folder = store.stage()
            try {
                fill(folder, picked)
            } catch (error: Throwable) {
                folder.deleteRecursively()
                throw error
            }
            check()
            when (name) {
                in catalog.packed -> install(folder, store.free(name) { it in store || it in catalog.packed })
                in store -> onMain {
                    filled = folder
                    if (job === this) show(ImportState.Asking(name)) else cancel()
                }
                else -> install(folder, name)
            }
        }

        private fun fill(folder: File, picked: PickedFile) {
            val name = picked.folderName
            val archive = File(folder, "archive")
            val known = picked.bytes
            if (known != null && known > MAX_ARCHIVE) throw BundleException(words.tooLarge(known, MAX_ARCHIVE))
            if (known != null && 2 * known > folder.usableSpace) {
                throw BundleException(context.getString(R.string.no_room, context.resources.size(2 * known)))
            }
            var done = 0L
            val progress = { bytes: Long ->
                check()
                done += bytes
                if (known != null) tell(name, done / (WORK * known))
            }
            picked.open().use { input ->
                stream = input
                check()
                archive.outputStream().use { output ->
                    if (!ZipBundle.copy(input, output, MAX_ARCHIVE, progress)) {
                        throw BundleException(words.tooLarge(MAX_ARCHIVE, MAX_ARCHIVE))
                    }
                }
            }
            stream = null
            ZipBundle.open(archive, words) { it.unpack(folder, progress) }
            archive.delete()
            check()
            // What only shows when it is used is said now.
            tryOut(FolderFiles(folder), StoredProofs(context))
        }

        private fun install(folder: File, name: String) {
            store.install(folder, name)
            catalog.refresh()
            tell(ImportState.Done(inWords(name)))
        }

        private fun attempt(work: () -> Unit) {
            val outcome = context.outcome {
                work()
                Outcome.Success(Unit, 0.0)
            }
            if (outcome is Outcome.Failure && !isCancelled) tell(ImportState.Failed(outcome.message))
        }

        private fun check() {
            if (isCancelled) throw CancellationException()
        }

        private fun tell(name: String, share: Double) {
            val percent = (100 * share).toInt()
            if (percent == shown) return
            shown = percent
            tell(ImportState.Running(name, minOf(share, 1.0)))
        }

        private fun tell(next: ImportState) = onMain {
            if (job === this) show(next)
        }
    }

    private val words = object : ZipWords {
        override val noZip get() = context.getString(R.string.no_zip)
        override val noManifest get() = context.getString(R.string.no_manifest)

        override fun tooMany(count: Int) = context.getString(R.string.too_many, count)

        override fun tooLarge(bytes: Long, limit: Long): String {
            val sizes = context.resources
            return context.getString(R.string.too_large, sizes.size(bytes), sizes.size(limit))
        }
    }

    private companion object {
        const val MAX_ARCHIVE = 600_000_000L

        /** Of all bytes: the copy, the unpacked ones, and some time to check them. */
        const val WORK = 2.3
    }
}
